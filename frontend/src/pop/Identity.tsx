import { For, Match, Show, Switch } from "solid-js";
import type { Card, Match as Found } from "../../shared/wire";
import { useDesk } from "../desk";
import { Button } from "../kit/Button";
import { Text } from "../kit/Text";
import { callerName, numberOf, onTheirWay, pickedMatch } from "./caller";
import { Follow } from "./Follow";

/** Numbers that tell nobody: what is said of each. */
const untold = ["own", "internal", "privacy", "unreadable"] as const;

/** Who it is, how to call back, and why we think so. */
export function Identity(props: { card: Card }) {
  const { say } = useDesk();
  const found = () => pickedMatch(props.card);
  return (
    <section class="identity">
      <h1 class="name">
        <Text of={callerName(props.card, say())} />
      </h1>
      <Show when={found()} fallback={<Unnamed card={props.card} />}>
        {(match) => <Known card={props.card} match={match()} />}
      </Show>
    </section>
  );
}

function Known(props: { card: Card; match: Found }) {
  const { say, requests, wrong } = useDesk();
  const who = () => props.match.customer;
  return (
    <>
      <div class="company">
        <Show when={who().company && who().name}>
          <Text of={who().company} />
        </Show>
        <Follow card={props.card} who={who()} />
      </div>
      <Show when={who().data.length > 0}>
        <dl class="data">
          <For each={who().data}>
            {([name, value]) => (
              <div>
                <dt>
                  <Text of={name} />
                </dt>
                <dd>
                  <Text of={value} />
                </dd>
              </div>
            )}
          </For>
        </dl>
      </Show>
      <div class="number">
        <Text of={numberOf(props.card)} />
        <Received card={props.card} />
        <span class="spring" />
        <Button look="quiet" disabled={requests.busy(props.card.leg) !== ""} onPress={() => void wrong(props.card.leg)}>
          {say().t("why.wrong")}
        </Button>
      </div>
      <Why card={props.card} match={props.match} />
    </>
  );
}

/** As the phone sent it, where that differs by more than blanks and dashes. */
function Received(props: { card: Card }) {
  const { say } = useDesk();
  const digits = (s: string) => s.replace(/[^\d+]/g, "");
  const differs = () => {
    const { number, e164 } = props.card.number;
    return e164 !== "" && digits(number) !== e164;
  };
  return (
    <Show when={differs()}>
      <Text class="muted" of={say().t("number.received", { number: props.card.number.number })} />
    </Show>
  );
}

/** Which rule, on how many digits, from where and how old; what else speaks for them. */
function Why(props: { card: Card; match: Found }) {
  const { say } = useDesk();
  const source = () => {
    if (props.match.from !== "cache") return say().t("why.crm");
    const age = Date.parse(props.card.started_at) - Date.parse(props.match.at);
    return say().t("why.cache", { age: say().age(age) });
  };
  const more = () => props.match.why.map((code) => say().coded("reason", code));
  const line = () =>
    props.match.rule === "agent"
      ? [say().coded("rule", "agent"), ...(onTheirWay(props.card) ? [say().t("why.new")] : [])].join(" · ")
      : [
          say().coded("rule", props.match.rule),
          say().t("why.digits", { n: props.match.digits }),
          source(),
          ...more(),
        ].join(" · ");
  return (
    <div class="why">
      <GradeMark grade={props.match.grade} />
      <Text class="muted" of={line()} />
    </div>
  );
}

/** Three steps, told by word and by fill, never by colour alone. */
export function GradeMark(props: { grade: Found["grade"] }) {
  const { say } = useDesk();
  return (
    <span class={`grade ${props.grade}`}>
      <span class="grade-bars" aria-hidden="true">
        <i />
        <i />
        <i />
      </span>
      {say().t(`grade.${props.grade}`)}
    </span>
  );
}

/** Nobody certain yet: what is going on, and what the phone itself says. */
function Unnamed(props: { card: Card }) {
  const { say } = useDesk();
  const search = () => props.card.search;
  return (
    <>
      <div class="number">
        <Received card={props.card} />
        <Show when={props.card.phone_name}>
          {(name) => <Text class="muted" of={say().t("search.phonename", { name: name() })} />}
        </Show>
      </div>
      <Switch>
        <Match when={search() === "looking"}>
          <p class="finding is-looking">{say().t("search.looking")}</p>
        </Match>
        <Match when={search() === "none"}>
          <p class="finding">
            {say().t(props.card.number.class === "service" ? "search.service" : "search.none")}
            <small>{say().t("search.none.hint")}</small>
          </p>
        </Match>
        <Match when={search() === "withheld"}>
          <p class="finding">
            <small>{say().t("search.withheld.hint")}</small>
          </p>
        </Match>
        <Match when={untold.find((code) => code === search())}>
          {(code) => (
            <p class="finding">
              {say().t(`search.${code()}`)}
              <small>{say().t(`search.${code()}.hint`)}</small>
            </p>
          )}
        </Match>
        <Match when={search() === "failed"}>
          <p class="finding is-wait">
            {say().t("search.failed")}
            <small>{say().coded("kind", props.card.search_error || "internal")}</small>
          </p>
        </Match>
      </Switch>
    </>
  );
}
