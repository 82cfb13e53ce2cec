import { Show } from "solid-js";
import type { Card, Write } from "../../shared/wire";
import { useDesk } from "../desk";
import type { Speech } from "../i18n";
import { Icon, type IconName } from "../kit/Icon";

type State = Exclude<Write["state"], "">;

const looks: Record<State, { icon: IconName; tone: string }> = {
  queued: { icon: "tray", tone: "" },
  sending: { icon: "tray", tone: "" },
  retrying: { icon: "clock", tone: "is-wait" },
  delivered: { icon: "check", tone: "is-up" },
  review: { icon: "alert", tone: "is-bad" },
  unsaved: { icon: "alert", tone: "is-bad" },
  reconciling: { icon: "clock", tone: "is-wait" },
  discarded: { icon: "close", tone: "" },
};

/** Where the call record is on its way to the CRM, in one line; the reason stands in WriteReason. */
export function WriteLine(props: { card: Card }) {
  const desk = useDesk();
  const write = () => props.card.write;
  const open = () => void desk.openThing(props.card.leg, "call", write().record_id);
  return (
    <Show when={write().state as State}>
      {(state) => (
        <span class={`write ${looks[state()].tone}`} aria-live="polite">
          <Icon name={looks[state()].icon} />
          <span>{words(state(), write().next_at, desk.say())}</span>
          <Show when={state() === "delivered" && write().record_id}>
            <button type="button" class="text-button" onClick={open}>
              {desk.say().t("write.open")}
            </button>
          </Show>
        </span>
      )}
    </Show>
  );
}

function words(state: State, nextAt: string, say: Speech): string {
  return say.t(`write.${state}`, { time: nextAt ? say.time(nextAt) : "…" });
}
