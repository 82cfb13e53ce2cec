import { createComponent } from "solid-js";
import { render } from "solid-js/web";
import { type Api, connect } from "./api";
import { createDesk } from "./desk";
import { Pop } from "./pop/Pop";
import "./kit/base.css";
import "./kit/kit.css";
import "./pop/frame.css";
import "./pop/card.css";
import "./pop/wrapup.css";
import "./pop/control.css";
import "./outbox/outbox.css";
import "./app.css"; // last: what a low window changes

// A plain browser has no agent behind it: while developing, examples take its place (never in a build).
async function api(): Promise<Api> {
  if (import.meta.env.DEV && !window.go) return (await import("./dev")).examples(location.search);
  return connect();
}

const root = document.getElementById("app");
if (root) {
  const agent = await api();
  root.textContent = ""; // the skeleton has done its work
  render(() => createComponent(Pop, { desk: createDesk(agent) }), root);
}
