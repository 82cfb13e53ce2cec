import { For, Show } from "solid-js";
import { useDesk } from "../desk";
import { Text } from "../kit/Text";
import { callerName, stateWord, toneOf } from "./caller";

/** The other cards, one click away. A ringing one stands out without taking the place of the card in hand. */
export function Strip() {
  const desk = useDesk();
  return (
    <Show when={(desk.outbox.open() || desk.card()) && desk.others().length > 0}>
      <nav class="strip" aria-label={desk.say().t("strip.title")}>
        <For each={desk.others()}>
          {(card) => (
            <button type="button" class={`strip-card ${toneOf(card)}`} onClick={() => desk.show(card.leg)}>
              <span class="dot" />
              <Text of={callerName(card, desk.say())} />
              <span class={card.state === "cleared" ? "sr-only" : "strip-state"}>{stateWord(card, desk.say())}</span>
              <Show when={desk.drafts.dirty(card.leg)}>
                <span class="strip-note">{desk.say().t("strip.note")}</span>
              </Show>
            </button>
          )}
        </For>
      </nav>
    </Show>
  );
}
