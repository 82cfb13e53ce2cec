import { createSignal, For, type JSX, Show } from "solid-js";
import type { Card, Change } from "../../shared/wire";
import { useDesk } from "../desk";
import { Button } from "../kit/Button";
import { Icon } from "../kit/Icon";
import { recordText } from "./record";

/** What the agent should know: a notice, what was refused just now, and why a record has not reached the CRM. */
export function Messages(props: { card: Card }) {
  const desk = useDesk();
  const t = desk.say;
  const leg = () => props.card.leg;
  const stuck = () => ["retrying", "review", "unsaved"].includes(props.card.write.state);
  const lost = () => ["not_saved", "wrapup_not_saved"].includes(props.card.notice);
  const homeless = () => lost() || props.card.write.state === "unsaved";
  // Several people have the number: nothing went wrong, the record only waits to hear whose it is.
  const toPick = () =>
    props.card.write.state === "review" && props.card.write.kind === "conflict" && !props.card.picked;
  return (
    <div class="messages" aria-live="polite">
      <Show when={homeless()}>
        <Homeless card={props.card} words={lost() ? t().coded("notice", props.card.notice) : t().t("write.unsaved")} />
      </Show>
      <Show when={!lost() && props.card.notice}>
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
      <For each={props.card.changes.filter((one) => one.state === "review")}>
        {(one) => <Undecided card={props.card} change={one} />}
      </For>
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

/** A change of the customer that the CRM did not take: because a colleague changed the same, or it refused. */
function Undecided(props: { card: Card; change: Change }) {
  const desk = useDesk();
  const t = desk.say;
  const what = () => t().coded("change", props.change.op);
  const kind = () => (props.change.op === "set_status" ? "status" : "customer_status");
  const named = (id: string) =>
    desk.board.data.crm_can.includes("status") && !props.change.op.endsWith("_tags")
      ? (desk.choices(kind()).find((one) => one.id === id)?.name ?? id)
      : id;
  const mine = () => named(props.change.value).split("\n").join(", ");
  const words = () =>
    props.change.theirs
      ? t().t("change.both", { what: what(), mine: mine(), theirs: named(props.change.theirs) })
      : t().t("change.refused", { what: what(), mine: mine() });
  const busy = () => desk.requests.busy(props.card.leg) !== "";
  const decide = (keep: boolean) => void desk.decide(props.card.leg, props.change.item, keep);
  return (
    <Message tone="is-wait" words={words()} detail={props.change.theirs ? "" : props.change.message}>
      <span class="message-choice">
        <Button disabled={busy()} onPress={() => decide(false)}>
          {t().t(props.change.theirs ? "change.theirs" : "change.drop")}
        </Button>
        <Button disabled={busy()} onPress={() => decide(true)}>
          {t().t(props.change.theirs ? "change.mine" : "change.again")}
        </Button>
      </span>
    </Message>
  );
}

/** The disk did not take the call: the reader can carry it elsewhere, as plain text, with what is being typed. */
function Homeless(props: { card: Card; words: string }) {
  const desk = useDesk();
  const t = desk.say;
  const [copied, setCopied] = createSignal("");
  const text = () => recordText(props.card, desk.drafts.of(props.card.leg) ?? props.card.wrapup, t());
  const copy = async () => {
    const record = text();
    if (await desk.copy(props.card.leg, record)) setCopied(record);
  };
  const done = () => copied() === text();
  return (
    <Message tone="is-bad" words={props.words} detail={done() ? t().t("record.copied") : ""}>
      <Button
        icon={done() ? "check" : "copy"}
        disabled={desk.requests.busy(props.card.leg) !== ""}
        onPress={() => void copy()}
      >
        {t().t("record.copy")}
      </Button>
    </Message>
  );
}

interface MessageProps {
  tone: string;
  words: string;
  detail: string;
  close?: () => void;
  children?: JSX.Element; // what can be done about it
}

export function Message(props: MessageProps) {
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
      {props.children}
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
