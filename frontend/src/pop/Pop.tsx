import { createEffect, Match, Show, Switch } from "solid-js";
import { type Desk, DeskContext } from "../desk";
import { Panel } from "../outbox/Panel";
import { CardView } from "./CardView";
import { callerName, stateWord } from "./caller";
import { Header } from "./Header";
import { Idle } from "./Idle";
import { PresenceRefused } from "./Presence";
import { StorageBanner } from "./StorageBanner";
import { Strip } from "./Strip";

/** The whole window. One card at a time; the key makes a new card a new element, so that nothing of the last one stays. */
export function Pop(props: { desk: Desk }) {
  const desk = props.desk;
  createEffect(() => {
    document.documentElement.lang = desk.say().language;
  });
  const spoken = () => {
    const card = desk.card();
    if (!card) return "";
    const muted = card.muted ? [desk.say().t("call.muted")] : [];
    return [stateWord(card, desk.say()), ...muted, callerName(card, desk.say())].join(" ");
  };
  return (
    <DeskContext.Provider value={desk}>
      <p class="sr-only" aria-live="polite">
        {spoken()}
      </p>
      <Header />
      <PresenceRefused />
      <StorageBanner />
      <Switch>
        <Match when={desk.board.phase !== "ready" && desk.board.phase}>
          {(phase) => <p class="quiet-page">{desk.say().t(`board.${phase()}`)}</p>}
        </Match>
        <Match when={desk.board.phase === "ready"}>
          <Strip />
          <Show when={!desk.outbox.open()} fallback={<Panel />}>
            <Show when={desk.card()?.leg} keyed fallback={<Idle />}>
              {(_) => <Show when={desk.card()}>{(card) => <CardView card={card()} />}</Show>}
            </Show>
          </Show>
        </Match>
      </Switch>
    </DeskContext.Provider>
  );
}
