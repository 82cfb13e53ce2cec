import { Show } from "solid-js";
import type { Card } from "../../shared/wire";
import { useDesk } from "../desk";
import { duration } from "../format";
import { Icon } from "../kit/Icon";
import { Text } from "../kit/Text";
import { stateWord, timerOf } from "./caller";

/** The band that can be read from the corner of the eye: state, way, queue, time. */
export function StateLine(props: { card: Card }) {
  const { say, now } = useDesk();
  // A colleague took it: there is no wrap-up here to say so.
  const word = () =>
    props.card.ending === "answered_elsewhere"
      ? say().coded("ending", props.card.ending)
      : stateWord(props.card, say());
  const out = () => props.card.direction === "out";
  return (
    <div class="state">
      <span class="dot" />
      <strong class="state-word">{word()}</strong>
      <Show when={props.card.direction}>
        <span class="state-way" title={say().t(`direction.${props.card.direction}`)}>
          <Icon name={out() ? "out" : "in"} />
        </span>
      </Show>
      <Show when={props.card.muted}>
        <span class="state-muted">
          <Icon name="muted" />
          {say().t("call.muted")}
        </span>
      </Show>
      <Show when={props.card.queue} fallback={<span class="spring" />}>
        {(queue) => (
          <span class="state-queue spring">
            <Text of={queue().name} />
            <Show when={queue().wait_ms > 0}>
              <span class="fixed">· {say().t("queue.waited", { time: duration(queue().wait_ms) })}</span>
            </Show>
          </span>
        )}
      </Show>
      <Show when={props.card.recording === "known"}>
        <span class="state-recording" title={say().t("recording.known")}>
          <Icon name="recording" />
          <span class="sr-only">{say().t("recording.known")}</span>
        </span>
      </Show>
      <time class="time">{timerOf(props.card, now())}</time>
    </div>
  );
}
