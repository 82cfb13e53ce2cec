import { For, Show } from "solid-js";
import type { Card } from "../../shared/wire";
import { useDesk } from "../desk";
import { Icon } from "../kit/Icon";
import { Tag, Text } from "../kit/Text";

const MOST = 5;

export function Tickets(props: { card: Card }) {
  const desk = useDesk();
  return (
    <Show when={props.card.tickets.length > 0}>
      <section>
        <h2>{desk.say().t("tickets.title")}</h2>
        <ul class="rows">
          <For each={props.card.tickets.slice(0, MOST)}>
            {(ticket) => (
              <li>
                <button
                  type="button"
                  class="ticket"
                  aria-label={desk.say().t("tickets.open", { subject: ticket.subject })}
                  onClick={() => void desk.openThing(props.card.leg, "ticket", ticket.id)}
                >
                  <Text class="strong" of={ticket.subject} />
                  <Show when={ticket.priority}>{(priority) => <Tag of={priority()} />}</Show>
                  <Tag of={ticket.status} />
                  <Icon name="external" />
                </button>
              </li>
            )}
          </For>
        </ul>
      </section>
    </Show>
  );
}
