import { createSignal, For, Match, onCleanup, onMount, Show, Switch } from "solid-js";
import type { Card } from "../../shared/wire";
import { useDesk } from "../desk";
import { Button } from "../kit/Button";
import { Line } from "../kit/Line";

/** What opens above the bar of a call, in its place and never over what the agent types. */
export function CallPanel(props: { card: Card }) {
  const { control } = useDesk();
  return (
    <Switch>
      <Match when={control.panel() === "transfer"}>
        <Transfer card={props.card} />
      </Match>
      <Match when={control.panel() === "keypad"}>
        <Keypad card={props.card} />
      </Match>
    </Switch>
  );
}

/** To whom, and how. Enter asks first where that can be done: a customer who was given to a wrong number is gone. */
function Transfer(props: { card: Card }) {
  const desk = useDesk();
  const t = desk.say;
  const [to, write] = createSignal("");
  const can = (name: string) => props.card.commands.includes(name);
  const ready = () => to().trim() !== "" && desk.requests.busy(props.card.leg) === "";
  const hand = (how: "transfer" | "consult") => ready() && void desk.control.hand(props.card.leg, how, to().trim());
  return (
    <section class="call-panel" aria-label={t().t(can("transfer") ? "command.transfer" : "command.consult")}>
      <Line
        label={t().t(can("transfer") ? "transfer.to" : "transfer.ask")}
        hint={can("transfer") && can("consult") ? t().t("transfer.hint") : undefined}
        value={to()}
        begin="focus"
        typing={() => desk.typing.begin(props.card.leg)}
        left={() => desk.typing.pause()}
        write={write}
        enter={() => hand(can("consult") ? "consult" : "transfer")}
      />
      <div class="item-actions">
        <Show when={can("consult")}>
          <Button look="main" disabled={!ready()} onPress={() => hand("consult")}>
            {t().t("transfer.first")}
          </Button>
        </Show>
        <Show when={can("transfer")}>
          <Button look={can("consult") ? "plain" : "main"} disabled={!ready()} onPress={() => hand("transfer")}>
            {t().t("transfer.now")}
          </Button>
        </Show>
        <span class="spring" />
        <Close />
      </div>
    </section>
  );
}

// The order of a telephone's digits, with what stands below them there at the side: three rows instead of four.
const keys = ["1", "2", "3", "*", "4", "5", "6", "0", "7", "8", "9", "#"] as const;
const spoken = { "*": "keypad.star", "#": "keypad.hash" } as const;

/**
 * Tones for the machine at the far end. The keyboard's digits are tones only while the keypad has the focus; it is one
 * stop for twelve keys, which the keyboard has of its own.
 */
function Keypad(props: { card: Card }) {
  const desk = useDesk();
  const t = desk.say;
  const leg = props.card.leg; // a card view is of one leg
  let pad: HTMLFieldSetElement | undefined;
  onMount(() => pad?.focus());
  onCleanup(() => {
    desk.typing.pause();
    desk.control.tones.forget(leg);
  });
  const press = (key: string) => void desk.control.tones.press(leg, key);
  const typed = (event: KeyboardEvent) => {
    const key = keys.find((k) => k === event.key);
    if (!key || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    press(key);
  };
  return (
    <section class="call-panel keypad" aria-label={t().t("command.dtmf")}>
      <fieldset
        ref={pad}
        class="pad"
        tabindex="0"
        aria-label={t().t("keypad.hint")}
        onKeyDown={typed}
        onFocusIn={() => desk.typing.begin(leg)}
        onFocusOut={() => desk.typing.pause()}
      >
        <For each={keys}>
          {(key) => (
            <button
              type="button"
              class="pad-key"
              tabindex="-1"
              aria-label={key === "*" || key === "#" ? t().t(spoken[key]) : key}
              onClick={() => press(key)}
            >
              {key}
            </button>
          )}
        </For>
      </fieldset>
      <div class="pad-side">
        <output class="pad-said" aria-label={t().t("keypad.sent")}>
          {desk.control.tones.pressed(leg)}
        </output>
        <p class="muted">{t().t("keypad.hint")}</p>
        <span class="spring" />
        <Close />
      </div>
    </section>
  );
}

function Close() {
  const { say, control } = useDesk();
  return (
    <Button look="quiet" hotKey="Escape" onPress={control.close}>
      {say().t("panel.close")}
    </Button>
  );
}
