import { createEffect, on, Show } from "solid-js";
import type { Link } from "../../shared/wire";
import { useDesk } from "../desk";
import { Icon } from "../kit/Icon";
import { PresenceState } from "./Presence";

/** Health at a glance: quiet while all is well, words and colour when something is not. */
export function Header() {
  const desk = useDesk();
  const t = desk.say;
  return (
    <header class={`header ${desk.presence.shown() ? "with-presence" : ""}`}>
      <PresenceState />
      <div class="health">
        <LinkState icon="phone" label={t().t("link.phone")} link={desk.board.data.phone} />
        <LinkState icon="crm" label={t().t("link.crm")} link={desk.board.data.crm} />
        <span class="spring" />
        <OutboxButton />
      </div>
    </header>
  );
}

/** Opens and closes the list of what has not reached the CRM; the counts stand on it. */
function OutboxButton() {
  const desk = useDesk();
  const t = desk.say;
  const outbox = () => desk.board.data.outbox;
  const none = () => outbox().waiting + outbox().review === 0;
  let button: HTMLButtonElement | undefined;
  createEffect(on(desk.outbox.left, () => button?.focus(), { defer: true }));
  return (
    <button
      ref={button}
      type="button"
      class="outbox"
      aria-expanded={desk.outbox.open()}
      title={none() ? t().t("outbox.title.none") : t().t("outbox.title", { ...outbox() })}
      onClick={() => (desk.outbox.open() ? desk.outbox.close() : desk.showOutbox())}
    >
      <Icon name="tray" />
      <Show when={none()}>
        <span class="sr-only">{t().t("outbox.title.none")}</span>
      </Show>
      <Show when={outbox().waiting > 0}>
        <span aria-hidden="true">{outbox().waiting}</span>
        <span class="sr-only">{t().t("outbox.waiting", { n: outbox().waiting })}</span>
      </Show>
      <Show when={outbox().review > 0}>
        <span class="is-wait">{t().t("outbox.review", { n: outbox().review })}</span>
      </Show>
    </button>
  );
}

const looks = { up: "is-up", down: "is-bad", auth: "is-wait", unknown: "" } as const;

function LinkState(props: { icon: "phone" | "crm"; label: string; link: Link }) {
  const { say } = useDesk();
  const words = () => say().t(`link.${props.link.state}`);
  const title = () => {
    const name = props.link.name || props.label;
    if (!props.link.since) return say().t("link.plain", { name, state: words() });
    return say().t("link.since", { name, state: words(), time: say().time(props.link.since) });
  };
  return (
    <span class={`link ${looks[props.link.state]}`} title={title()}>
      <Icon name={props.icon} />
      <span class="fixed link-name">{props.label}</span>
      <span class={props.link.state === "up" ? "sr-only" : "cut"}>{words()}</span>
    </span>
  );
}
