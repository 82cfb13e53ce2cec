import { createSignal, For, Show } from "solid-js";
import type { Card, Match } from "../../shared/wire";
import { useDesk } from "../desk";
import { Button } from "../kit/Button";
import { Tag, Text } from "../kit/Text";
import { pickedMatch } from "./caller";
import { GradeMark } from "./Identity";

/** Several people share the number: the agent says who it is. Once chosen, the list folds away and can be opened again. */
export function Chooser(props: { card: Card }) {
  const { say } = useDesk();
  const [again, setAgain] = createSignal(false);
  const chosen = () => pickedMatch(props.card) !== undefined;
  const open = () => !chosen() || again();
  const title = () => {
    const n = props.card.matches.length;
    return n > 1 ? say().t("chooser.several", { n }) : say().t("chooser.one");
  };
  return (
    <section class="chooser">
      <div class="title-row">
        <h2>{title()}</h2>
        <Show when={chosen()}>
          <Button look="quiet" onPress={() => setAgain(!again())}>
            {say().t(again() ? "chooser.keep" : "chooser.change")}
          </Button>
        </Show>
      </div>
      <Show when={open()}>
        <p class="muted hint">{say().t("chooser.hint")}</p>
        <ul class="rows">
          <For each={props.card.matches}>
            {(match) => <Candidate card={props.card} match={match} picked={() => setAgain(false)} />}
          </For>
        </ul>
      </Show>
    </section>
  );
}

function Candidate(props: { card: Card; match: Match; picked: () => void }) {
  const desk = useDesk();
  const who = () => props.match.customer;
  const pick = () => {
    void desk.pick(props.card.leg, who().id);
    props.picked();
  };
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
      <Show when={who().last_activity_at}>{(at) => <span class="muted fixed">{desk.say().date(at())}</span>}</Show>
      <Button disabled={desk.requests.busy(props.card.leg) !== ""} onPress={pick}>
        {desk.say().t("chooser.pick")}
        <span class="sr-only">{who().name}</span>
      </Button>
    </li>
  );
}
