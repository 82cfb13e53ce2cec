import { createEffect, For, on, Show } from "solid-js";
import type { OutboxItem } from "../../shared/wire";
import { useDesk } from "../desk";
import { Button } from "../kit/Button";
import { Icon } from "../kit/Icon";
import { Text } from "../kit/Text";
import { afterPaint } from "../painted";
import { Message } from "../pop/Messages";
import { Form } from "./Forms";
import { keyOf } from "./model";
import { itemAbout, itemName, itemTries, itemWhy, looksOf } from "./words";

/** One record: who, when and why in three lines; unfolded, all that is known and what can be done. */
export function Item(props: { item: OutboxItem }) {
  const desk = useDesk();
  const t = desk.say;
  const seq = () => props.item.seq;
  const unfolded = () => desk.outbox.list.unfolded === seq();
  const looks = () => looksOf(props.item);
  let row: HTMLLIElement | undefined;
  // What was unfolded, and what it asks, must not stay below the edge.
  createEffect(
    on([unfolded, () => unfolded() && desk.outbox.list.form?.kind], ([open]) => {
      if (open) afterPaint(() => row?.scrollIntoView({ block: "nearest" }));
    }),
  );
  return (
    <li
      ref={row}
      class={`item ${looks().tone}`}
      classList={{ unfolded: unfolded(), "to-check": props.item.state === "review" }}
    >
      <button type="button" class="item-head" aria-expanded={unfolded()} onClick={() => desk.outbox.unfold(seq())}>
        <span class="item-state">
          <Icon name={looks().icon} />
        </span>
        <span class="item-what">
          <span class="item-line">
            <Text class="strong" of={itemName(props.item, t())} />
            <span class="spring" />
            <span class="item-when muted fixed">{t().when(props.item.started_at)}</span>
          </span>
          <Show when={itemAbout(props.item, t())}>{(about) => <Text class="item-about muted" of={about()} />}</Show>
          <Text class="item-why" of={itemWhy(props.item, t(), desk.now())} />
        </span>
        <span class="item-fold">
          <Icon name="down" />
        </span>
      </button>
      <Show when={unfolded()}>
        <div class="item-body">
          <Details item={props.item} />
          <div class="messages" aria-live="polite">
            <Show when={desk.requests.refusal(keyOf(seq()))}>
              {(why) => (
                <Message
                  tone="is-bad"
                  words={t().coded("kind", why().kind)}
                  detail={why().message}
                  close={() => desk.requests.clear(keyOf(seq()))}
                />
              )}
            </Show>
          </div>
          <Show when={desk.outbox.list.form?.seq === seq()} fallback={<Todo item={props.item} />}>
            <Form item={props.item} />
          </Show>
        </div>
      </Show>
    </li>
  );
}

function Details(props: { item: OutboxItem }) {
  const { say } = useDesk();
  const t = (key: Parameters<ReturnType<typeof say>["t"]>[0], values?: Record<string, string | number>) =>
    say().t(key, values);
  return (
    <>
      <Show when={props.item.begun}>
        {(at) => <p class="item-begun">{t("item.begun", { time: say().when(at()) })}</p>}
      </Show>
      <dl class="item-facts">
        <Show when={props.item.note}>
          {(note) => (
            <>
              <dt>{t("item.note")}</dt>
              <dd class="item-note" dir="auto">
                {note()}
              </dd>
            </>
          )}
        </Show>
        <Show when={!props.item.unclear}>
          <dt>{t("item.customer")}</dt>
          <dd>
            <Text of={props.item.customer_id || t("item.customer.none")} />
          </dd>
        </Show>
        <Show when={props.item.tries.length > 0}>
          <dt>{t("item.tries")}</dt>
          <dd>
            <ul>
              <For each={itemTries(props.item, say())}>
                {(told) => (
                  <li class="item-try">
                    <span class="time">{say().when(told.at)}</span>{" "}
                    <Show when={told.n > 1}>
                      <span class="muted">{t("item.times", { n: told.n })} </span>
                    </Show>
                    <bdi>{told.words}</bdi>
                  </li>
                )}
              </For>
            </ul>
          </dd>
        </Show>
      </dl>
    </>
  );
}

/** What a person can do now. What is on its way just now is left alone; whose record nobody knows cannot be sent yet. */
function Todo(props: { item: OutboxItem }) {
  const desk = useDesk();
  const t = desk.say;
  const busy = () => desk.requests.busy(keyOf(props.item.seq)) !== "";
  return (
    <Show when={props.item.state !== "sending"}>
      <div class="item-actions">
        <Show when={!props.item.unclear}>
          <Button
            look={props.item.state === "review" ? "main" : "plain"}
            disabled={busy()}
            onPress={() => void desk.outbox.retry(props.item.seq)}
          >
            {t().t("item.retry")}
          </Button>
        </Show>
        <Show when={props.item.op === "log_call"}>
          <Button
            look={props.item.unclear ? "main" : "plain"}
            disabled={busy()}
            onPress={() => desk.outbox.begin("attach", props.item)}
          >
            {t().t("item.attach")}
          </Button>
          <Button disabled={busy()} onPress={() => desk.outbox.begin("edit", props.item)}>
            {t().t("item.edit")}
          </Button>
        </Show>
        <Button look="stop" disabled={busy()} onPress={() => desk.outbox.begin("discard", props.item)}>
          {t().t("item.discard")}
        </Button>
      </div>
    </Show>
  );
}
