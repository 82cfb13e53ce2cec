import { For, Show } from "solid-js";
import { useDesk } from "../desk";
import { Icon } from "../kit/Icon";
import { Text } from "../kit/Text";
import { callerName, toneOf } from "./caller";

/** As many as fit without a search for the one meant. */
const LAST = 8;

/** No call: quiet, with the last cards for a late note. */
export function Idle() {
  const desk = useDesk();
  const t = desk.say;
  return (
    <main class="idle">
      <div class="quiet-page">
        <Icon name="phone" />
        <h1>{t().t("idle.title")}</h1>
        <p>{t().t("idle.hint")}</p>
        {/* CounterPath's terms of use ask for it wherever Bria is the phone. */}
        <Show when={desk.board.data.phone.name.split(" + ").includes("bria")}>
          <p class="muted">{t().t("idle.bria")}</p>
        </Show>
      </div>
      <Show when={desk.board.data.cards.length > 0}>
        <section class="last-cards">
          <h2>{t().t("idle.last")}</h2>
          <ul class="rows">
            <For each={desk.board.data.cards.slice(0, LAST)}>
              {(card) => (
                <li>
                  <button type="button" class={`last-card ${toneOf(card)}`} onClick={() => desk.show(card.leg)}>
                    <span class="dot" />
                    <Text class="strong" of={callerName(card, t())} />
                    <span class="spring muted cut">{t().coded("ending", card.ending)}</span>
                    <Show when={desk.drafts.dirty(card.leg)}>
                      <span class="strip-note">{t().t("strip.note")}</span>
                    </Show>
                    <span class="muted fixed">{t().time(card.started_at)}</span>
                  </button>
                </li>
              )}
            </For>
          </ul>
        </section>
      </Show>
    </main>
  );
}
