import type { JSX } from "solid-js";
import { Icon, type IconName } from "./Icon";

interface ButtonProps {
  look?: "main" | "plain" | "stop" | "quiet";
  icon?: IconName;
  disabled?: boolean;
  hotKey?: string; // shown in the tooltip and told to screen readers
  label?: string; // when the button holds an icon alone, or text that says too little
  onPress: () => void;
  children?: JSX.Element;
}

export function Button(props: ButtonProps) {
  return (
    <button
      type="button"
      class={`button ${props.look ?? "plain"}`}
      disabled={props.disabled}
      aria-label={props.label}
      aria-keyshortcuts={props.hotKey}
      title={props.hotKey ?? props.label}
      onClick={() => props.onPress()}
    >
      {props.icon && <Icon name={props.icon} />}
      {props.children}
    </button>
  );
}
