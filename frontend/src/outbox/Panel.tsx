import { For, Match, onMount, Show, Switch } from "solid-js";
import { useDesk } from "../desk";
import { Button } from "../kit/Button";
import { Icon } from "../kit/Icon";
import { Message } from "../pop/Messages";
import { Item } from "./Item";
import { type Tab, WHOLE } from "./model";

/** What has not reached the CRM, and what a person can do about it. It takes the card's place until it is closed or a call rings. */
export function Panel() {
  const desk = useDesk();
  const t = desk.say;
  const { list } = desk.outbox;
  const counts = () => desk.board.data.outbox;
  const empty = () => counts().waiting + counts().review === 0 && list.items.length === 0;
  let heading: HTMLHeadingElement | undefined;
  onMount(() => heading?.focus()); // the reader asked for it
  return (
    <main class="panel">
      <div class="panel-title">
        <h1 ref={heading} tabindex="-1">
          {t().t("outbox.heading")}
        </h1>
        <span class="spring" />
        <Button look="quiet" icon="close" label={t().t("outbox.close")} hotKey="Escape" onPress={desk.outbox.close} />
      </div>
      <Switch>
        <Match when={empty() && list.phase === "read" && !list.refusal}>
          <div class="quiet-page">
            <Icon name="check" />
            <p class="strong">{t().t("outbox.empty")}</p>
            <p>{t().t("outbox.empty.hint")}</p>
          </div>
        </Match>
        <Match when={true}>
          <Tabs />
          <div class="panel-list">
            <Refused />
            <ul class="rows">
              <For each={list.items}>{(it) => <Item item={it} />}</For>
            </ul>
            <Show when={list.items.length === 0 && !list.refusal}>
              <p class="panel-none muted">
                {t().t(list.phase === "reading" ? "outbox.loading" : `outbox.empty.${list.tab}`)}
              </p>
            </Show>
            <Show when={list.more}>
              <div class="panel-more">
                <Button onPress={() => void desk.outbox.more()}>{t().t("outbox.more")}</Button>
              </div>
            </Show>
          </div>
          <WholeList />
        </Match>
      </Switch>
    </main>
  );
}

function Tabs() {
  const desk = useDesk();
  const t = desk.say;
  const counts = () => desk.board.data.outbox;
  const oldest = () => desk.now() - Date.parse(counts().oldest_at);
  return (
    <div class="tabs">
      <For each={["review", "waiting"] as Tab[]}>
        {(tab) => (
          <button
            type="button"
            class="tab"
            aria-pressed={desk.outbox.list.tab === tab}
            onClick={() => desk.outbox.choose(tab)}
          >
            {t().t(`outbox.tab.${tab}`)} <span class="tab-count">{counts()[tab]}</span>
          </button>
        )}
      </For>
      <span class="spring" />
      <Show when={counts().oldest_at}>
        <span class="muted fixed tabs-age">{t().t("outbox.oldest", { age: t().age(oldest()) })}</span>
      </Show>
    </div>
  );
}

/** Why the list could not be read, or what was asked about the whole of it was refused. */
function Refused() {
  const desk = useDesk();
  const t = desk.say;
  const refusal = () => desk.requests.refusal(WHOLE) ?? desk.outbox.list.refusal;
  return (
    <div class="messages" aria-live="polite">
      <Show when={refusal()}>
        {(why) => <Message tone="is-bad" words={t().coded("kind", why().kind)} detail={why().message} />}
      </Show>
    </div>
  );
}

/** What can be done with all of it: the list of a full disk must be able to leave by the clipboard. */
function WholeList() {
  const desk = useDesk();
  const t = desk.say;
  const busy = () => desk.requests.busy(WHOLE) !== "";
  const save = () =>
    desk.outbox.save(t().t("outbox.save.title"), (file) =>
      t().t("outbox.save.done", { file: file.replace(/^.*[\\/]/, "") }),
    );
  return (
    <footer class="panel-actions">
      <p class="panel-said muted cut" aria-live="polite">
        {desk.outbox.list.said}
      </p>
      <div class="panel-buttons">
        <Show when={desk.outbox.list.tab === "waiting"}>
          <Button
            disabled={busy() || desk.board.data.outbox.waiting === 0}
            onPress={() => void desk.outbox.retryAll(t().t("outbox.retryall.done"))}
          >
            {t().t("outbox.retryall")}
          </Button>
        </Show>
        <span class="spring" />
        <Button look="quiet" disabled={busy()} onPress={() => void desk.outbox.copy(t().t("outbox.copy.done"))}>
          {t().t("outbox.copy")}
        </Button>
        <Button look="quiet" disabled={busy()} onPress={() => void save()}>
          {t().t("outbox.save")}
        </Button>
      </div>
    </footer>
  );
}
