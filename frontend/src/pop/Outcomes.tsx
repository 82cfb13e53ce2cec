import { For, Show } from "solid-js";
import { useDesk } from "../desk";

/** Up to this many fit as chips without pushing the note out of sight. */
const CHIPS = 6;

interface OutcomesProps {
  outcomes: string[];
  chosen: string;
  name: string;
  choose: (outcome: string) => void;
}

/** The site's outcomes in the site's words. One that was saved but is no longer offered stays visible. */
export function Outcomes(props: OutcomesProps) {
  const { say } = useDesk();
  const all = () =>
    props.chosen && !props.outcomes.includes(props.chosen) ? [...props.outcomes, props.chosen] : props.outcomes;
  return (
    <Show when={all().length > 0}>
      <Show when={all().length <= CHIPS} fallback={<Select {...props} outcomes={all()} />}>
        <div class="outcomes" role="radiogroup" aria-label={say().t("wrapup.outcome")}>
          <For each={all()}>
            {(outcome) => (
              <label class="chip" title={outcome}>
                <input
                  type="radio"
                  class="sr-only"
                  name={props.name}
                  value={outcome}
                  checked={outcome === props.chosen}
                  onChange={() => props.choose(outcome)}
                />
                <bdi class="cut">{outcome}</bdi>
              </label>
            )}
          </For>
        </div>
      </Show>
    </Show>
  );
}

function Select(props: OutcomesProps) {
  const { say } = useDesk();
  return (
    <select
      class="select"
      aria-label={say().t("wrapup.outcome")}
      onChange={(event) => props.choose(event.currentTarget.value)}
    >
      <option value="" selected={props.chosen === ""}>
        {say().t("wrapup.outcome.none")}
      </option>
      <For each={props.outcomes}>
        {(outcome) => (
          <option value={outcome} selected={outcome === props.chosen}>
            {outcome}
          </option>
        )}
      </For>
    </select>
  );
}
