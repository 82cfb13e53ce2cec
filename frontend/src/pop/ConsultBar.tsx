import { Show } from "solid-js";
import type { Card, Consult } from "../../shared/wire";
import { useDesk } from "../desk";
import { duration } from "../format";
import { Button } from "../kit/Button";
import { Icon } from "../kit/Icon";
import { Text } from "../kit/Text";
import { numberOf } from "./caller";

/** The colleague who is asked while the customer waits. */
export function ConsultBar(props: { card: Card }) {
  return <Show when={props.card.consult}>{(consult) => <Bar card={props.card} consult={consult()} />}</Show>;
}

function Bar(props: { card: Card; consult: Consult }) {
  const desk = useDesk();
  const t = desk.say;
  const busy = () => desk.requests.busy(props.card.leg) !== "";
  const number = () => numberOf(props.consult);
  const talks = () => props.consult.state === "connected";
  return (
    <section class={`consult ${talks() ? "is-talk" : "is-ring"}`} aria-label={t().t("consult.title")}>
      <div class="consult-who">
        <Icon name="people" />
        <Text class="strong" of={props.consult.name || number() || t().t("consult.title")} />
        <Show when={props.consult.name && number()}>
          <Text class="muted" of={number()} />
        </Show>
        <span class="spring" />
        <span class="consult-state" aria-live="polite">
          {t().t(talks() ? "state.connected" : props.consult.state === "hold" ? "state.hold" : "consult.calling")}
        </span>
        <time class="time">{duration(desk.now() - Date.parse(props.consult.since))}</time>
      </div>
      <div class="item-actions">
        <Show when={props.card.commands.includes("complete")}>
          <Button
            look="main"
            icon="transfer"
            disabled={busy()}
            onPress={() => void desk.control.command(props.card.leg, "complete")}
          >
            {t().t("consult.complete")}
          </Button>
        </Show>
        <Show when={props.card.commands.includes("hangup")}>
          <Button disabled={busy()} onPress={() => void desk.control.back(props.card, props.consult.leg)}>
            {t().t("consult.back")}
          </Button>
        </Show>
      </div>
    </section>
  );
}
