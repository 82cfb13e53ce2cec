import { createSignal, For, onMount, Show } from "solid-js";
import type { Card, Customer, Option } from "../../shared/wire";
import { useDesk } from "../desk";
import { Button } from "../kit/Button";
import { Icon } from "../kit/Icon";
import { Tag, Text } from "../kit/Text";
import { onTheirWay } from "./caller";

/** Follow-up: the customer's status and tags, changed where they stand. What the CRM's connector cannot change is only shown. */
export function Follow(props: { card: Card; who: Customer }) {
  const desk = useDesk();
  const [editing, edit] = createSignal(false);
  const can = (what: string) => desk.board.data.crm_can.includes(what) && !onTheirWay(props.card);
  return (
    <span class="tags">
      <Show when={props.who.status}>
        <Show when={can("status")} fallback={<Tag of={props.who.status} />}>
          <Status
            kind="customer_status"
            label={desk.say().t("change.update_contact")}
            is={props.who.status}
            disabled={desk.requests.busy(props.card.leg) !== ""}
            set={(status) => void desk.setStatus(props.card.leg, status)}
          />
        </Show>
      </Show>
      <For each={props.who.tags}>
        {(tag) => (
          <Show when={editing()} fallback={<Tag of={tag} />}>
            <Removable card={props.card} tag={tag} />
          </Show>
        )}
      </For>
      <Show when={can("tags")}>
        <Show
          when={editing()}
          fallback={<Button look="quiet" icon="tag" label={desk.say().t("tags.edit")} onPress={() => edit(true)} />}
        >
          <Added card={props.card} done={() => edit(false)} />
        </Show>
      </Show>
    </span>
  );
}

function Removable(props: { card: Card; tag: string }) {
  const desk = useDesk();
  return (
    <button
      type="button"
      class="tag removable"
      aria-label={desk.say().t("tags.remove", { tag: props.tag })}
      disabled={desk.requests.busy(props.card.leg) !== ""}
      onClick={() => void desk.changeTags(props.card.leg, "", props.tag)}
    >
      <Text of={props.tag} />
      <Icon name="close" />
    </button>
  );
}

/** One line for another tag, with those that the CRM has; Enter adds it, and leaves when it is empty. */
function Added(props: { card: Card; done: () => void }) {
  const desk = useDesk();
  const [text, write] = createSignal("");
  const list = `tags-${props.card.leg}`;
  let line: HTMLInputElement | undefined;
  onMount(() => line?.focus());
  const add = () => {
    const tag = text().trim();
    if (tag === "") return props.done();
    write("");
    void desk.changeTags(props.card.leg, tag, "");
  };
  return (
    <>
      <input
        ref={line}
        type="text"
        class="line tag-line"
        dir="auto"
        autocomplete="off"
        list={list}
        aria-label={desk.say().t("tags.add")}
        placeholder={desk.say().t("tags.add")}
        value={text()}
        onInput={(event) => write(event.currentTarget.value)}
        onFocus={() => desk.typing.begin(props.card.leg)}
        onBlur={() => {
          desk.typing.pause();
          if (text().trim() === "") props.done();
        }}
        onKeyDown={(event) => event.key === "Enter" && !event.isComposing && add()}
      />
      <datalist id={list}>
        <For each={desk.choices("tag")}>{(one) => <option value={one.name} />}</For>
      </datalist>
    </>
  );
}

interface StatusProps {
  kind: "customer_status" | "status";
  label: string;
  is: string;
  disabled: boolean;
  set: (status: string) => void;
}

/** A status among those that the CRM has; one that is no choice there stays visible. Where the CRM tells none it is only shown. */
export function Status(props: StatusProps) {
  const desk = useDesk();
  const all = (): Option[] => {
    const known = desk.choices(props.kind);
    return known.some((one) => one.id === props.is) ? known : [{ id: props.is, name: props.is }, ...known];
  };
  return (
    <Show when={desk.choices(props.kind).length > 0} fallback={<Tag of={props.is} />}>
      <select
        class="tag status"
        aria-label={props.label}
        title={props.label}
        disabled={props.disabled}
        onChange={(event) => props.set(event.currentTarget.value)}
      >
        <For each={all()}>
          {(one) => (
            <option value={one.id} selected={one.id === props.is}>
              {one.name}
            </option>
          )}
        </For>
      </select>
    </Show>
  );
}
