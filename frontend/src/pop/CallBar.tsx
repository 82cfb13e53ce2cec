import { createEffect, For, on, Show } from "solid-js";
import type { Card } from "../../shared/wire";
import type { Panel } from "../control";
import { useDesk } from "../desk";
import type { IconName } from "../kit/Icon";
import { Tile } from "../kit/Tile";
import { holdOf, muteOf, panelsOf } from "../offered";
import { onTheirWay } from "./caller";

/** A call with more to do than to take it or to end it has a bar of its own. */
export function inBar(card: Card): boolean {
  return holdOf(card).length > 0 || muteOf(card) !== "" || panelsOf(card).length > 0;
}

const ofHold = {
  hold: { icon: "pause", word: "command.hold" },
  resume: { icon: "play", word: "command.resume" },
} as const;

/** A live call: what the phone offers for it now, the switches by what they would do. */
export function CallBar(props: { card: Card }) {
  const desk = useDesk();
  const t = desk.say;
  const leg = () => props.card.leg;
  const busy = () => desk.requests.busy(leg()) !== "";
  const run = (name: string) => void desk.control.command(leg(), name);
  const aside = () => props.card.consult !== undefined;
  return (
    <div class="actions bar" role="toolbar" aria-label={t().t("command.bar")}>
      <Show when={props.card.commands.includes("hangup")}>
        <Tile
          look="stop"
          icon="hangup"
          hotKey="Alt+H"
          text={t().t(aside() ? "command.hangup.customer" : "command.hangup")}
          disabled={busy()}
          onPress={() => run("hangup")}
        />
      </Show>
      <Show when={holdOf(props.card).length > 0}>
        <Hold card={props.card} busy={busy()} run={run} />
      </Show>
      <Show when={muteOf(props.card)}>
        {(name) => (
          <Tile
            look={props.card.muted ? "on" : "plain"}
            icon={props.card.muted ? "muted" : "mic"}
            hotKey="Alt+M"
            text={t().t(props.card.muted ? "command.unmute" : "command.mute")}
            disabled={busy()}
            onPress={() => run(name())}
          />
        )}
      </Show>
      <For each={panelsOf(props.card)}>{(which) => <Opener card={props.card} which={which} />}</For>
      <Show when={props.card.picked && !onTheirWay(props.card)}>
        <Tile
          icon="external"
          hotKey="Alt+O"
          text={t().t("link.crm")}
          label={t().t("command.open")}
          disabled={busy()}
          onPress={() => void desk.openCustomer(props.card)}
        />
      </Show>
    </div>
  );
}

/** Both stand together where the phone tells nothing of holds: whether it holds is for the agent to know. */
function Hold(props: { card: Card; busy: boolean; run: (name: string) => void }) {
  const { say } = useDesk();
  const both = () => holdOf(props.card).length > 1;
  const tiles = () => (
    <For each={holdOf(props.card)}>
      {(name) => (
        <Tile
          look={props.card.state === "hold" ? "on" : "plain"}
          icon={ofHold[name].icon}
          hotKey={name === "hold" || !both() ? "Alt+P" : undefined}
          text={say().t(ofHold[name].word)}
          disabled={props.busy}
          onPress={() => props.run(name)}
        />
      )}
    </For>
  );
  return (
    <Show when={both()} fallback={tiles()}>
      <fieldset class="joined" aria-label={say().t("command.hold.untold")} title={say().t("command.hold.untold")}>
        {tiles()}
      </fieldset>
    </Show>
  );
}

const panels: Record<Exclude<Panel, "">, { icon: IconName; hotKey: string }> = {
  transfer: { icon: "transfer", hotKey: "Alt+T" },
  keypad: { icon: "keypad", hotKey: "Alt+K" },
};

/** Opens a panel, and has the focus again when the panel that had it is closed. */
function Opener(props: { card: Card; which: Exclude<Panel, ""> }) {
  const { say, control } = useDesk();
  let button: HTMLButtonElement | undefined;
  const opened = () => control.panel() === props.which;
  const word = () => {
    if (props.which === "keypad") return say().t("command.dtmf");
    return say().t(props.card.commands.includes("transfer") ? "command.transfer" : "command.consult");
  };
  createEffect(
    on(opened, (now, before) => {
      if (before && !now && document.activeElement === document.body) button?.focus();
    }),
  );
  return (
    <Tile
      keep={(b) => {
        button = b;
      }}
      icon={panels[props.which].icon}
      hotKey={panels[props.which].hotKey}
      text={word()}
      expanded={opened()}
      onPress={() => control.open(opened() ? "" : props.which)}
    />
  );
}
