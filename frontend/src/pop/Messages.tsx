import { Show } from "solid-js";
import type { Card } from "../../shared/wire";
import { useDesk } from "../desk";
import { Icon } from "../kit/Icon";

/** What the agent should know: a notice, what was refused just now, and why a record has not reached the CRM. */
export function Messages(props: { card: Card }) {
  const desk = useDesk();
  const t = desk.say;
  const leg = () => props.card.leg;
  const stuck = () => ["retrying", "review", "unsaved"].includes(props.card.write.state);
  // Several people have the number: nothing went wrong, the record only waits to hear whose it is.
  const toPick = () =>
    props.card.write.state === "review" && props.card.write.kind === "conflict" && !props.card.picked;
  return (
    <div class="messages" aria-live="polite">
      <Show when={props.card.notice}>
        {(notice) => <Message tone="is-wait" words={t().coded("notice", notice())} detail="" />}
      </Show>
      <Show when={desk.requests.refusal(leg())}>
        {(refusal) => (
          <Message
            tone="is-bad"
            words={t().coded("kind", refusal().kind)}
            detail={refusal().message}
            close={() => desk.requests.clear(leg())}
          />
        )}
      </Show>
      <Show when={stuck() && props.card.write.kind}>
        {(kind) => (
          <Message
            tone={props.card.write.state === "retrying" ? "is-wait" : "is-bad"}
            words={toPick() ? t().t("write.topick") : `${t().t("link.crm")}: ${t().coded("kind", kind())}`}
            detail={toPick() ? "" : props.card.write.message}
          />
        )}
      </Show>
    </div>
  );
}

function Message(props: { tone: string; words: string; detail: string; close?: () => void }) {
  const { say } = useDesk();
  return (
    <div class={`message ${props.tone}`}>
      <Icon name="alert" />
      <div class="message-text">
        <div>{props.words}</div>
        <Show when={props.detail}>
          <bdi class="muted">{props.detail}</bdi>
        </Show>
      </div>
      <Show when={props.close}>
        {(close) => (
          <button type="button" class="icon-button" aria-label={say().t("refusal.close")} onClick={() => close()()}>
            <Icon name="close" />
          </button>
        )}
      </Show>
    </div>
  );
}
