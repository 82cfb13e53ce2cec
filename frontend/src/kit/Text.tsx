/** A string that a caller or a CRM controls: inert, cut with an ellipsis, and unable to turn its neighbours round. */
export function Text(props: { of: string; class?: string }) {
  return (
    <bdi class={`cut ${props.class ?? ""}`} title={props.of}>
      {props.of}
    </bdi>
  );
}

export function Tag(props: { of: string }) {
  return <Text class="tag" of={props.of} />;
}
