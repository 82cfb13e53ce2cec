import { Show } from "solid-js";
import type { Card } from "../../shared/wire";
import { Actions } from "./Actions";
import { CallData } from "./CallData";
import { CallPanel } from "./CallPanel";
import { Chooser } from "./Chooser";
import { ConsultBar } from "./ConsultBar";
import { pickedMatch, toneOf } from "./caller";
import { History } from "./History";
import { Identity } from "./Identity";
import { Messages } from "./Messages";
import { StateLine } from "./StateLine";
import { Stranger } from "./Stranger";
import { Tickets } from "./Tickets";
import { WrapUpForm } from "./WrapUpForm";

/** Top: who and how. Middle, scrolls: what we know. Bottom, always there: what can be done. */
export function CardView(props: { card: Card }) {
  const toChoose = () => props.card.matches.length > 1 || (props.card.matches.length > 0 && !pickedMatch(props.card));
  return (
    <main class={`card ${toneOf(props.card)}`}>
      <StateLine card={props.card} />
      <ConsultBar card={props.card} />
      <Identity card={props.card} />
      <div class="middle">
        <Messages card={props.card} />
        <CallData card={props.card} />
        <Show when={toChoose()}>
          <Chooser card={props.card} />
        </Show>
        <Show when={strange(props.card)}>
          <Stranger card={props.card} />
        </Show>
        <Show when={pickedMatch(props.card)}>
          <Tickets card={props.card} />
          <History card={props.card} />
        </Show>
      </div>
      <Show when={hasWrapUp(props.card)}>
        <WrapUpForm card={props.card} />
      </Show>
      <footer class="foot">
        <CallPanel card={props.card} />
        <Actions card={props.card} />
      </footer>
    </main>
  );
}

/** Nobody is picked, and it is no colleague and nothing of our own. */
function strange(card: Card): boolean {
  return !pickedMatch(card) && !["own", "internal", "looking"].includes(card.search) && hasWrapUp(card);
}

/** A colleague's call is the colleague's to wrap up. */
function hasWrapUp(card: Card): boolean {
  if (card.state === "cleared") return card.ending !== "answered_elsewhere";
  return card.state === "connected" || card.state === "hold";
}
