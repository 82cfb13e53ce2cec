import { Show, untrack } from "solid-js";
import type { Card } from "../../shared/wire";
import { useDesk } from "../desk";
import { Button } from "../kit/Button";
import { Icon } from "../kit/Icon";
import { lost, timerOf } from "./caller";
import { Outcomes } from "./Outcomes";
import { WriteLine } from "./WriteLine";

/** What came of the call, in the site's words. How it ended is the phone's word and stands apart: it cannot be edited. */
export function WrapUpForm(props: { card: Card }) {
  const desk = useDesk();
  const t = desk.say;
  const leg = untrack(() => props.card.leg); // a card view is of one leg; leaving the note must not read a card that is gone
  const over = () => props.card.state === "cleared";
  const draft = () => desk.drafts.of(leg);
  const text = () => draft() ?? props.card.wrapup;
  const phase = () => draft()?.phase;
  const unsaved = () => desk.drafts.dirty(leg) || (!props.card.wrapup.saved_at && !draft());
  const canSave = () => unsaved() && (text().outcome !== "" || text().note !== "" || props.card.wrapup.saved_at !== "");
  const edit = (change: { outcome?: string; note?: string }) => desk.drafts.edit(leg, props.card.wrapup, change);
  const owed = () => desk.presence.is().owed === leg;
  const save = () => canSave() && void desk.drafts.save(leg, props.card.wrapup);
  const saveKey = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.isComposing || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    save();
  };
  const write = (event: InputEvent & { currentTarget: HTMLTextAreaElement }) => {
    desk.typing.begin(leg);
    edit({ note: event.currentTarget.value });
  };
  const leave = () => {
    desk.typing.pause();
    void desk.drafts.flush(leg);
  };
  return (
    <section class="wrapup" aria-label={t().t("wrapup.title")}>
      <Show when={over()}>
        <EndingLine card={props.card} />
      </Show>
      <Show when={owed()}>
        <p class="owed" aria-live="polite">
          <Icon name="alert" />
          {t().t(text().outcome ? "presence.owed.save" : "presence.owed")}
        </p>
      </Show>
      <div class="label-row">
        <h2>{t().t("wrapup.outcome")}</h2>
        <span class="muted cut" aria-live="polite">
          {progress()}
        </span>
      </div>
      <Outcomes
        outcomes={desk.board.data.outcomes}
        chosen={text().outcome}
        name={`outcome-${leg}`}
        choose={(outcome) => edit({ outcome })}
      />
      <div class="note-row">
        <textarea
          class="note"
          rows="2"
          dir="auto"
          aria-label={t().t("wrapup.note")}
          placeholder={t().t("wrapup.note.hint")}
          value={text().note}
          onInput={write}
          onFocus={() => desk.typing.begin(leg)}
          onBlur={leave}
          onKeyDown={saveKey}
        />
        <Button
          look={over() && canSave() ? "main" : "plain"}
          disabled={!canSave()}
          hotKey="Control+Enter"
          onPress={save}
        >
          {t().t(phase() === "saving" ? "wrapup.saving" : "wrapup.save")}
        </Button>
      </div>
    </section>
  );

  function progress(): string {
    if (phase() === "saved") return t().t("wrapup.savednow");
    if (phase() === "kept") return t().t("wrapup.kept");
    if (phase() === "typed") return t().t("wrapup.unsaved");
    if (props.card.wrapup.saved_at) return t().t("wrapup.saved", { time: t().time(props.card.wrapup.saved_at) });
    return "";
  }
}

function EndingLine(props: { card: Card }) {
  const { say } = useDesk();
  return (
    <div class="ending">
      <span class="muted">{say().t("wrapup.ending")}</span>
      <span class={`strong ${lost(props.card.ending) ? "is-lost" : ""}`} data-ending={props.card.ending}>
        {say().coded("ending", props.card.ending)}
      </span>
      <span class="time muted">{timerOf(props.card, 0)}</span>
      <span class="spring" />
      <WriteLine card={props.card} />
    </div>
  );
}
