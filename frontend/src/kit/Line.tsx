import { onMount, Show } from "solid-js";

interface LineProps {
  label: string;
  hint?: string;
  value: string;
  begin?: "focus" | "select"; // the cursor is in it from the start
  typing: () => void;
  left: () => void;
  write: (value: string) => void;
  enter: () => void;
}

/** One line of text with its name above it; Enter does what the form is for, but not while a Chinese word is being composed. */
export function Line(props: LineProps) {
  let line: HTMLInputElement | undefined;
  onMount(() => props.begin && line?.[props.begin]());
  return (
    <label class="item-ask">
      <span class="strong">{props.label}</span>
      <input
        ref={line}
        type="text"
        class="line"
        dir="auto"
        autocomplete="off"
        value={props.value}
        onInput={(event) => props.write(event.currentTarget.value)}
        onFocus={() => props.typing()}
        onBlur={() => props.left()}
        onKeyDown={(event) => event.key === "Enter" && !event.isComposing && props.enter()}
      />
      <Show when={props.hint}>
        <span class="muted item-hint">{props.hint}</span>
      </Show>
    </label>
  );
}
