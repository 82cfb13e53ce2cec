import { createEffect, createSignal, For, on, onCleanup, onMount, Show } from "solid-js";
import { useDesk } from "../desk";
import { duration } from "../format";
import { Icon } from "../kit/Icon";
import { Text } from "../kit/Text";
import { Message } from "./Messages";

const tones = {
  "": "",
  logged_on: "",
  ready: "is-up",
  not_ready: "is-wait",
  working_after_call: "is-ring",
  logged_off: "",
} as const;

/** The agent's own state. Where it can be set it is a button with a menu; where it is only told it is words. */
export function PresenceState() {
  const desk = useDesk();
  const { presence } = desk;
  const afterCall = () => presence.is().state === "working_after_call";
  return (
    <Show when={presence.shown()}>
      <div class={`presence ${tones[presence.is().state]}`}>
        <Show when={presence.is().can} fallback={<p class="presence-is">{<Words />}</p>}>
          <Chooser />
          <Show when={afterCall()}>
            <button
              type="button"
              class="presence-ready"
              disabled={presence.busy()}
              onClick={() => void presence.set("ready", "")}
            >
              {desk.say().t("presence.now")}
            </button>
          </Show>
        </Show>
      </div>
    </Show>
  );
}

/** The state, why, and for how long; after a call how long it still may last, where that has an end. */
function Words() {
  const { say, presence, now } = useDesk();
  const is = presence.is;
  const ends = () => is().state === "working_after_call" && Date.parse(is().until) > now(); // an owed outcome outlasts it
  const length = () => duration(ends() ? Date.parse(is().until) - now() : now() - Date.parse(is().since));
  return (
    <>
      <span class="dot" />
      <span class="fixed strong">{say().t(`presence.${is().state}`)}</span>
      <Show when={is().reason}>
        <Text class="presence-why" of={is().reason} />
      </Show>
      <Show when={ends() || is().since}>
        <time class="time" title={say().t(ends() ? "presence.left" : "presence.since")}>
          {length()}
        </time>
      </Show>
    </>
  );
}

function Chooser() {
  const { say, presence } = useDesk();
  let whole: HTMLDivElement | undefined;
  let button: HTMLButtonElement | undefined;
  createEffect(
    on(presence.open, (now, before) => {
      if (before && !now && document.activeElement === document.body) button?.focus();
    }),
  );
  // A press elsewhere closes it. The focus alone does not tell: some browsers give a pressed button none.
  const elsewhere = (event: Event) => {
    if (event.target instanceof Node && !whole?.contains(event.target)) presence.close();
  };
  onMount(() => document.addEventListener("pointerdown", elsewhere));
  onCleanup(() => document.removeEventListener("pointerdown", elsewhere));
  return (
    <div ref={whole} class="presence-chooser">
      <button
        ref={button}
        type="button"
        class="presence-is"
        aria-haspopup="menu"
        aria-expanded={presence.open()}
        title={say().t("presence.change")}
        disabled={presence.busy()}
        onClick={presence.toggle}
      >
        <Words />
        <Icon name="down" />
      </button>
      <Show when={presence.open()}>
        <Menu />
      </Show>
    </div>
  );
}

interface Choice {
  state: "ready" | "not_ready";
  reason: string;
}

function Menu() {
  const { say, presence } = useDesk();
  const reasons = () => presence.is().reasons;
  const choices = (): Choice[] => [
    { state: "ready", reason: "" },
    ...(reasons().length > 0 ? reasons() : [""]).map((reason): Choice => ({ state: "not_ready", reason })),
  ];
  const chosen = (c: Choice) =>
    presence.is().state === c.state && (c.reason === "" || presence.is().reason === c.reason);
  const [menu, keep] = createSignal<HTMLDivElement>();
  const items = () => [...(menu()?.querySelectorAll<HTMLButtonElement>("button") ?? [])];
  onMount(() => (items().find((item) => item.getAttribute("aria-checked") === "true") ?? items()[0])?.focus());
  const keyed = (event: KeyboardEvent) => {
    const all = items();
    const at = all.indexOf(document.activeElement as HTMLButtonElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 + all.length, Home: 0, End: all.length - 1 }[event.key];
    if (event.key === "Tab") presence.close();
    if (to === undefined) return;
    event.preventDefault();
    all[to % all.length]?.focus();
  };
  return (
    <div ref={keep} class="menu" role="menu" tabindex="-1" aria-label={say().t("presence.change")} onKeyDown={keyed}>
      <For each={choices()}>
        {(choice, at) => (
          <>
            <Show when={at() === 1 && reasons().length > 0}>
              <p class="menu-title">{say().t("presence.not_ready")}</p>
            </Show>
            <button
              type="button"
              class="menu-item"
              role="menuitemradio"
              tabindex="-1"
              aria-checked={chosen(choice)}
              onClick={() => void presence.set(choice.state, choice.reason)}
            >
              <span class="menu-mark">{chosen(choice) && <Icon name="check" />}</span>
              <Text of={choice.reason || say().t(`presence.${choice.state}`)} />
            </button>
          </>
        )}
      </For>
    </div>
  );
}

/** Why the state was not changed. Below the header, for it is about no card. */
export function PresenceRefused() {
  const { say, presence } = useDesk();
  const owed = () => presence.is().owed !== "" && presence.refusal()?.kind === "conflict";
  return (
    <div class="messages apart" aria-live="polite">
      <Show when={presence.refusal()}>
        {(why) => (
          <Message
            tone={owed() ? "is-wait" : "is-bad"}
            words={owed() ? say().t("presence.owed") : say().coded("kind", why().kind)}
            detail={owed() ? "" : why().message}
            close={presence.clear}
          />
        )}
      </Show>
    </div>
  );
}
