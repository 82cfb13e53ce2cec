import { Show } from "solid-js";
import { useDesk } from "../desk";
import type { Key } from "../i18n";
import { en } from "../i18n/en";
import { Icon } from "../kit/Icon";
import { Text } from "../kit/Text";

/** Nothing is at stake in these: somebody should know, nobody must hurry. */
const harmless = ["rebuilding", "journal_only"];

/** While the disk does not keep records, whatever else is in view: what is wrong and what to do. */
export function StorageBanner() {
  const { board, say } = useDesk();
  const storage = () => board.data.storage;
  const key = (): Key => {
    const known = `storage.${storage().state}` as Key;
    return known in en ? known : "storage.other";
  };
  return (
    <Show when={storage().state !== "ok"}>
      <div class={`banner ${harmless.includes(storage().state) ? "is-wait" : "is-bad"}`} role="alert">
        <Icon name="alert" />
        <div class="message-text">
          <strong>{say().t(key())}</strong>
          <div>{say().t(`${key()}.do` as Key)}</div>
          <Show when={storage().detail}>{(detail) => <Text class="muted" of={detail()} />}</Show>
        </div>
      </div>
    </Show>
  );
}
