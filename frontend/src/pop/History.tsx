import { For, Show } from "solid-js";
import type { Card, Contact } from "../../shared/wire";
import { useDesk } from "../desk";
import { duration } from "../format";
import { Icon } from "../kit/Icon";
import { Text } from "../kit/Text";
import { lost } from "./caller";

/** More than this is reading, not recalling; the CRM has the rest. */
const MOST = 5;

export function History(props: { card: Card }) {
  const { say } = useDesk();
  return (
    <section>
      <h2>{say().t("history.title")}</h2>
      <ul class="rows">
        <For each={props.card.history.slice(0, MOST)} fallback={<li class="muted">{say().t("history.empty")}</li>}>
          {(line) => <Line line={line} />}
        </For>
      </ul>
    </section>
  );
}

function Line(props: { line: Contact }) {
  const { say } = useDesk();
  const ending = () => say().coded("ending", props.line.ending);
  return (
    <li class="past">
      <span class={`past-way ${lost(props.line.ending) ? "is-lost" : ""}`} title={ending()}>
        <Icon name={props.line.direction === "out" ? "out" : "in"} />
      </span>
      <div class="past-what">
        <div class="past-line">
          <Text class="strong" of={props.line.outcome || ending()} />
          <Show when={props.line.agent}>{(agent) => <Text class="muted" of={agent()} />}</Show>
        </div>
        <Show when={props.line.note}>{(note) => <Text class="muted" of={note()} />}</Show>
      </div>
      <div class="past-when">
        <span title={say().time(props.line.at)}>{say().date(props.line.at)}</span>
        <Show when={props.line.talk_ms > 0}>
          <span class="time">{duration(props.line.talk_ms)}</span>
        </Show>
      </div>
    </li>
  );
}
