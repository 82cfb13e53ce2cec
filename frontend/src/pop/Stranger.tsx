import { createSignal, For, Match, Show, Switch } from "solid-js";
import type { Card, Customer } from "../../shared/wire";
import { useDesk } from "../desk";
import { Button } from "../kit/Button";
import { Line } from "../kit/Line";
import { Tag, Text } from "../kit/Text";

/** Whoever was not found: looked for by other words, or made a customer. Nothing of it happens by itself. */
export function Stranger(props: { card: Card }) {
  const { say, board } = useDesk();
  const [open, setOpen] = createSignal<"" | "search" | "create">("");
  const can = (what: string) => board.data.crm_can.includes(what);
  const toggle = (what: "search" | "create") => setOpen(open() === what ? "" : what);
  return (
    <section class="stranger">
      <div class="item-actions first">
        <Button look={open() === "search" ? "quiet" : "plain"} onPress={() => toggle("search")}>
          {say().t("stranger.search")}
        </Button>
        <Show when={can("create")}>
          <Button look={open() === "create" ? "quiet" : "plain"} onPress={() => toggle("create")}>
            {say().t("stranger.create")}
          </Button>
        </Show>
      </div>
      <Switch>
        <Match when={open() === "search"}>
          <Search card={props.card} />
        </Match>
        <Match when={open() === "create"}>
          <Create card={props.card} />
        </Match>
      </Switch>
    </section>
  );
}

function Search(props: { card: Card }) {
  const desk = useDesk();
  const t = desk.say;
  const [text, write] = createSignal("");
  const [found, setFound] = createSignal<Customer[]>();
  const [looking, setLooking] = createSignal(false);
  const search = async () => {
    if (text().trim() === "" || looking()) return;
    setLooking(true);
    const result = await desk.search(props.card.leg, text().trim());
    setLooking(false);
    setFound(result.ok ? result.customers : undefined);
  };
  return (
    <div class="item-form">
      <div class="pair">
        <Field leg={props.card.leg} label={t().t("stranger.words")} value={text()} write={write} enter={search} first />
        <Button look="main" disabled={text().trim() === "" || looking()} onPress={() => void search()}>
          {t().t("stranger.find")}
        </Button>
      </div>
      <Show when={found()}>
        {(customers) => (
          <Show when={customers().length > 0} fallback={<p class="muted">{t().t("stranger.nobody")}</p>}>
            <ul class="rows">
              <For each={customers()}>{(who) => <Result card={props.card} who={who} />}</For>
            </ul>
          </Show>
        )}
      </Show>
    </div>
  );
}

function Result(props: { card: Card; who: Customer }) {
  const desk = useDesk();
  const t = desk.say;
  const busy = () => desk.requests.busy(props.card.leg) !== "";
  const number = () => props.card.number;
  const addable = () =>
    desk.board.data.crm_can.includes("add_number") &&
    !number().withheld &&
    number().number !== "" &&
    props.who.id !== "";
  return (
    <li class="candidate">
      <div class="candidate-who">
        <Text class="strong" of={props.who.name || props.who.company || props.who.id} />
        <span class="candidate-about">
          <Show when={props.who.name && props.who.company}>
            <Text class="muted" of={props.who.company} />
          </Show>
          <For each={props.who.numbers.slice(0, 2)}>{(written) => <Text class="muted" of={written} />}</For>
          <For each={props.who.tags.slice(0, 2)}>{(tag) => <Tag of={tag} />}</For>
        </span>
      </div>
      <div class="item-actions">
        <Button disabled={busy()} onPress={() => void desk.attachCall(props.card.leg, props.who.id, false)}>
          {t().t("stranger.attach")}
          <span class="sr-only">{props.who.name}</span>
        </Button>
        <Show when={addable()}>
          <Button
            look="quiet"
            disabled={busy()}
            onPress={() => void desk.attachCall(props.card.leg, props.who.id, true)}
          >
            {t().t("stranger.addnumber")}
            <span class="sr-only">{props.who.name}</span>
          </Button>
        </Show>
      </div>
    </li>
  );
}

function Create(props: { card: Card }) {
  const desk = useDesk();
  const t = desk.say;
  const [name, setName] = createSignal(/\d/.test(props.card.phone_name) ? "" : props.card.phone_name);
  const [company, setCompany] = createSignal("");
  const types = () => desk.board.data.customer_types;
  const [kind, setKind] = createSignal(types()[0] ?? "");
  const [email, setEmail] = createSignal("");
  const create = () => {
    if (name().trim() === "") return;
    void desk.create(props.card.leg, kind(), name().trim(), company().trim(), email().trim());
  };
  const leg = () => props.card.leg;
  return (
    <div class="item-form">
      <Show when={types().length > 1}>
        <div class="kinds" role="radiogroup">
          <For each={types()}>
            {(one) => (
              <label>
                <input type="radio" name="kind" checked={kind() === one} onChange={() => setKind(one)} />
                {t().coded("type", one)}
              </label>
            )}
          </For>
        </div>
      </Show>
      <Field leg={leg()} label={t().t("stranger.name")} value={name()} write={setName} enter={create} first />
      <div class="pair">
        <Field leg={leg()} label={t().t("stranger.company")} value={company()} write={setCompany} enter={create} />
        <Field leg={leg()} label={t().t("stranger.email")} value={email()} write={setEmail} enter={create} />
      </div>
      <div class="item-actions">
        <Button look="main" disabled={name().trim() === "" || desk.requests.busy(leg()) !== ""} onPress={create}>
          {t().t("stranger.make")}
        </Button>
      </div>
      <p class="muted hint">{t().t("stranger.hint")}</p>
    </div>
  );
}

interface FieldProps {
  leg: string;
  label: string;
  value: string;
  write: (value: string) => void;
  enter: () => void;
  first?: boolean;
}

function Field(props: FieldProps) {
  const { typing } = useDesk();
  return (
    <Line
      label={props.label}
      value={props.value}
      begin={props.first ? "select" : undefined}
      typing={() => typing.begin(props.leg)}
      left={() => typing.pause()}
      write={props.write}
      enter={props.enter}
    />
  );
}
