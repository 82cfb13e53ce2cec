import { Icon, type IconName } from "./Icon";

interface TileProps {
  icon: IconName;
  text: string;
  label?: string; // when the text says too little; it holds the text, for people who work by voice
  look?: "plain" | "stop" | "on"; // on: what the agent should not forget
  hotKey?: string;
  expanded?: boolean; // it opens something
  disabled?: boolean;
  keep?: (button: HTMLButtonElement) => void;
  onPress: () => void;
}

/** A button of a bar of many: its icon above its word. */
export function Tile(props: TileProps) {
  return (
    <button
      ref={(button) => props.keep?.(button)}
      type="button"
      class={`tile ${props.look ?? "plain"}`}
      disabled={props.disabled}
      aria-label={props.label}
      aria-expanded={props.expanded}
      aria-keyshortcuts={props.hotKey}
      title={[props.label, props.hotKey].filter(Boolean).join(" · ") || undefined}
      onClick={() => props.onPress()}
    >
      <Icon name={props.icon} />
      <span>{props.text}</span>
    </button>
  );
}
