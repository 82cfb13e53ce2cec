import { For, Show } from "solid-js";
import type { Card } from "../../shared/wire";
import { useDesk } from "../desk";
import { Icon } from "../kit/Icon";
import { Tag, Text } from "../kit/Text";
import { Status } from "./Follow";

const MOST = 5;

export function Tickets(props: { card: Card }) {
  const desk = useDesk();
  const settable = () => desk.board.data.crm_can.includes("ticket_status");
  return (
    <Show when={props.card.tickets.length > 0}>
      <section>
        <h2>{desk.say().t("tickets.title")}</h2>
        <ul class="rows">
          <For each={props.card.tickets.slice(0, MOST)}>
            {(ticket) => (
              <li class="ticket-row">
                <button
                  type="button"
                  class="ticket"
                  aria-label={desk.say().t("tickets.open", { subject: ticket.subject })}
                  onClick={() => void desk.openThing(props.card.leg, "ticket", ticket.id)}
                >
                  <Text class="strong" of={ticket.subject} />
                  <Show when={ticket.priority}>{(priority) => <Tag of={priority()} />}</Show>
                  <Show when={!settable()}>
                    <Tag of={ticket.status} />
                  </Show>
                  <Icon name="external" />
                </button>
                <Show when={settable()}>
                  <Status
                    kind="status"
                    label={desk.say().t("change.set_status")}
                    is={ticket.status}
                    disabled={desk.requests.busy(props.card.leg) !== ""}
                    set={(status) => void desk.setTicketStatus(props.card.leg, ticket.id, status)}
                  />
                </Show>
              </li>
            )}
          </For>
        </ul>
      </section>
    </Show>
  );
}
