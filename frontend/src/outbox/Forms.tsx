import { For, Match, onMount, Show, Switch } from "solid-js";
import type { Match as Found, OutboxItem } from "../../shared/wire";
import { IN_OUTBOX, useDesk } from "../desk";
import { Button } from "../kit/Button";
import { Line } from "../kit/Line";
import { Tag, Text } from "../kit/Text";
import { GradeMark } from "../pop/Identity";
import { Outcomes } from "../pop/Outcomes";
import { type Filled, keyOf } from "./model";

/** What is asked before something is done with a record. What was typed outlives the form until it was taken. */
export function Form(props: { item: OutboxItem }) {
  const { outbox } = useDesk();
  const kind = () => outbox.list.form?.kind;
  return (
    <Show when={outbox.filled()}>
      {(filled) => (
        <Switch>
          <Match when={kind() === "edit"}>
            <Edit item={props.item} filled={filled()} />
          </Match>
          <Match when={kind() === "attach"}>
            <Attach item={props.item} filled={filled()} />
          </Match>
          <Match when={kind() === "discard" && !outbox.list.form?.sure}>
            <Reason item={props.item} filled={filled()} />
          </Match>
          <Match when={kind() === "discard"}>
            <Sure item={props.item} filled={filled()} />
          </Match>
        </Switch>
      )}
    </Show>
  );
}

interface FormProps {
  item: OutboxItem;
  filled: Filled;
}

const busyWith = (props: FormProps) => useDesk().requests.busy(keyOf(props.item.seq)) !== "";

function Edit(props: FormProps) {
  const desk = useDesk();
  const t = desk.say;
  const save = () => void desk.outbox.edit(props.item.seq, props.filled);
  const saveKey = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.isComposing || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    save();
  };
  let note: HTMLTextAreaElement | undefined;
  onMount(() => note?.focus());
  return (
    <div class="item-form">
      <Outcomes
        outcomes={desk.board.data.outcomes}
        chosen={props.filled.outcome}
        name={`item-outcome-${props.item.seq}`}
        choose={(outcome) => desk.outbox.fill({ outcome })}
      />
      <textarea
        ref={note}
        class="note"
        rows="3"
        dir="auto"
        aria-label={t().t("wrapup.note")}
        placeholder={t().t("wrapup.note.hint")}
        value={props.filled.note}
        onInput={(event) => desk.outbox.fill({ note: event.currentTarget.value })}
        onFocus={() => desk.typing.begin(IN_OUTBOX)}
        onBlur={() => desk.typing.pause()}
        onKeyDown={saveKey}
      />
      <div class="item-actions">
        <Button look="main" hotKey="Control+Enter" disabled={busyWith(props)} onPress={save}>
          {t().t("item.save")}
        </Button>
        <Button look="quiet" onPress={desk.outbox.cancel}>
          {t().t("item.cancel")}
        </Button>
      </div>
    </div>
  );
}

/** The card of the call knows who has the number; without it the reader brings the customer's number from the CRM. */
function Attach(props: FormProps) {
  const desk = useDesk();
  const t = desk.say;
  const found = () => desk.board.data.cards.find((c) => c.leg === props.item.leg)?.matches ?? [];
  const customer = () => props.filled.customer.trim();
  const attach = () => customer() && void desk.outbox.attach(props.item.seq, customer());
  return (
    <div class="item-form">
      <Show
        when={found().length > 0}
        fallback={
          <Line
            begin="focus"
            typing={() => desk.typing.begin(IN_OUTBOX)}
            left={() => desk.typing.pause()}
            label={t().t("item.attach.id")}
            hint={t().t("item.attach.hint")}
            value={props.filled.customer}
            write={(value) => desk.outbox.fill({ customer: value })}
            enter={attach}
          />
        }
      >
        <ul class="rows">
          <For each={found()}>{(match) => <Candidate item={props.item} match={match} filled={props.filled} />}</For>
        </ul>
      </Show>
      <div class="item-actions">
        <Show when={found().length === 0}>
          <Button look="main" disabled={!customer() || busyWith(props)} onPress={attach}>
            {t().t("item.attach.do")}
          </Button>
        </Show>
        <Button look="quiet" onPress={desk.outbox.cancel}>
          {t().t("item.cancel")}
        </Button>
      </div>
    </div>
  );
}

function Candidate(props: FormProps & { match: Found }) {
  const desk = useDesk();
  const who = () => props.match.customer;
  return (
    <li class="candidate">
      <div class="candidate-who">
        <Text class="strong" of={who().name || who().company || who().id} />
        <span class="candidate-about">
          <GradeMark grade={props.match.grade} />
          <Show when={who().name && who().company}>
            <Text class="muted" of={who().company} />
          </Show>
          <For each={who().tags.slice(0, 2)}>{(tag) => <Tag of={tag} />}</For>
        </span>
      </div>
      <Button
        disabled={busyWith(props)}
        onPress={() => void desk.outbox.pick(props.item.seq, props.item.leg, who().id)}
      >
        {desk.say().t("chooser.pick")}
        <span class="sr-only">{who().name}</span>
      </Button>
    </li>
  );
}

function Reason(props: FormProps) {
  const desk = useDesk();
  const t = desk.say;
  const next = () => props.filled.reason.trim() !== "" && desk.outbox.reallyDiscard(true);
  return (
    <div class="item-form">
      <Line
        begin="focus"
        typing={() => desk.typing.begin(IN_OUTBOX)}
        left={() => desk.typing.pause()}
        label={t().t("item.discard.reason")}
        hint={t().t("item.discard.hint")}
        value={props.filled.reason}
        write={(reason) => desk.outbox.fill({ reason })}
        enter={next}
      />
      <div class="item-actions">
        <Button look="stop" disabled={props.filled.reason.trim() === ""} onPress={next}>
          {t().t("item.discard.next")}
        </Button>
        <Button look="quiet" onPress={desk.outbox.cancel}>
          {t().t("item.cancel")}
        </Button>
      </div>
    </div>
  );
}

/** The second step. The focus is on the way out: Enter, pressed once too often, keeps the record. */
function Sure(props: FormProps) {
  const desk = useDesk();
  const t = desk.say;
  let box: HTMLDivElement | undefined;
  onMount(() => box?.querySelector<HTMLButtonElement>(".button:not(.stop)")?.focus());
  return (
    <div class="item-form" ref={box}>
      <p class="item-sure is-bad" role="alert">
        {t().t("item.discard.sure")} <bdi class="muted">{props.filled.reason}</bdi>
      </p>
      <div class="item-actions">
        <Button onPress={desk.outbox.cancel}>{t().t("item.discard.keep")}</Button>
        <Button
          look="stop"
          disabled={busyWith(props)}
          onPress={() => void desk.outbox.discard(props.item.seq, props.filled.reason.trim())}
        >
          {t().t("item.discard.do")}
        </Button>
      </div>
    </div>
  );
}
