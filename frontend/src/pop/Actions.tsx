import { For, Show } from "solid-js";
import type { Card } from "../../shared/wire";
import { useDesk } from "../desk";
import { Button } from "../kit/Button";
import { CallBar, inBar } from "./CallBar";
import { onTheirWay } from "./caller";

const offered = [
  { name: "answer", look: "main", icon: "phone", hotKey: "Alt+A" },
  { name: "reject", look: "stop", icon: "close", hotKey: "Alt+R" },
  { name: "hangup", look: "stop", icon: "hangup", hotKey: "Alt+H" },
] as const;

/** What can be done with this call now: only what the phone offers, each once until something happened. */
export function Actions(props: { card: Card }) {
  return (
    <Show when={!inBar(props.card)} fallback={<CallBar card={props.card} />}>
      <Buttons card={props.card} />
    </Show>
  );
}

function Buttons(props: { card: Card }) {
  const desk = useDesk();
  const t = desk.say;
  const busy = () => desk.requests.busy(props.card.leg) !== "";
  const over = () => props.card.state === "cleared";
  const callable = () => over() && desk.board.data.abilities.includes("dial") && props.card.number.number !== "";
  return (
    <div class="actions">
      <For each={offered.filter((o) => props.card.commands.includes(o.name))}>
        {(o) => (
          <Button
            look={o.look}
            icon={o.icon}
            hotKey={o.hotKey}
            disabled={busy()}
            onPress={() => void desk.control.command(props.card.leg, o.name)}
          >
            {t().t(`command.${o.name}`)}
          </Button>
        )}
      </For>
      <Show when={callable() && !props.card.number.withheld}>
        <Button icon="phone" disabled={busy()} onPress={() => void desk.callBack(props.card)}>
          {t().t("command.callback")}
        </Button>
      </Show>
      <span class="spring" />
      <Show when={props.card.picked && !onTheirWay(props.card)}>
        <Button icon="external" hotKey="Alt+O" disabled={busy()} onPress={() => void desk.openCustomer(props.card)}>
          {t().t("command.open")}
        </Button>
      </Show>
      <Show when={over()}>
        <Button
          look="quiet"
          icon="close"
          label={t().t("command.dismiss")}
          disabled={busy()}
          onPress={() => void desk.dismiss(props.card.leg)}
        />
      </Show>
    </div>
  );
}
