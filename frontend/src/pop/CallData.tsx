import { createSignal, For, Show } from "solid-js";
import type { Card } from "../../shared/wire";
import { useDesk } from "../desk";
import { Button } from "../kit/Button";

/** So many are taken in at a glance; a call may bring dozens. */
const MOST = 5;

/** What came with the call: order numbers, choices of a voice menu. To be read, and to be copied from. */
export function CallData(props: { card: Card }) {
  const { say } = useDesk();
  const [all, setAll] = createSignal(false);
  const more = () => props.card.data.length - MOST;
  return (
    <Show when={props.card.data.length > 0}>
      <section>
        <h2>{say().t("data.title")}</h2>
        <dl class="call-data">
          <For each={all() ? props.card.data : props.card.data.slice(0, MOST)}>
            {([name, value]) => (
              <div>
                <dt>
                  <bdi>{labelOf(name)}</bdi>
                </dt>
                <dd>
                  <bdi>{value}</bdi>
                </dd>
              </div>
            )}
          </For>
        </dl>
        <Show when={more() > 0 && !all()}>
          <Button look="quiet" onPress={() => setAll(true)}>
            {say().t("data.more", { n: more() })}
          </Button>
        </Show>
      </section>
    </Show>
  );
}

/** order_id -> Order id */
export function labelOf(name: string): string {
  const words = name.replaceAll("_", " ").trim() || name;
  return words.charAt(0).toUpperCase() + words.slice(1);
}
