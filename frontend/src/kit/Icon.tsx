const paths = {
  in: "M12.5 3.5l-8 8M4.5 6v5.5H10",
  out: "M3.5 12.5l8-8M11.5 10V4.5H6",
  phone:
    "M3.3 2.5h2.2l1.2 2.9-1.6 1.2a8.2 8.2 0 0 0 4.3 4.3l1.2-1.6 2.9 1.2v2.2a1 1 0 0 1-1.1 1A10.8 10.8 0 0 1 2.3 3.6a1 1 0 0 1 1-1.1z",
  hangup:
    "M2 10.2c-.4-.8-.3-1.5.3-2 3.3-2.7 8.1-2.7 11.4 0 .6.5.7 1.2.3 2l-.5 1-2.9-.7-.2-1.9a7.5 7.5 0 0 0-4.8 0l-.2 1.9-2.9.7z",
  crm: "M2.5 4.2C2.5 3.2 5 2.5 8 2.5s5.5.7 5.5 1.7-2.5 1.7-5.5 1.7-5.5-.7-5.5-1.7zM2.5 4.2v7.6c0 1 2.5 1.7 5.5 1.7s5.5-.7 5.5-1.7V4.2M2.5 8c0 1 2.5 1.7 5.5 1.7s5.5-.7 5.5-1.7",
  tray: "M2.5 9.5l2-6h7l2 6v4h-11zM2.5 9.5H6l.8 1.7h2.4L10 9.5h3.5",
  check: "M3 8.5l3.3 3.3L13 4.7",
  clock: "M8 4.5V8l2.3 1.5M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2z",
  alert: "M8 2.5l6 10.8H2zM8 6.7v3M8 11.4v.1",
  external: "M9.5 2.5h4v4M13.5 2.5L8 8M11.5 9.5v4h-9v-9h4",
  down: "M4 6l4 4 4-4",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  tag: "M2.5 7.5v-5h5l6 6-5 5zM5.3 5.3v.1",
  close: "M4 4l8 8M12 4l-8 8",
} as const;

export type IconName = keyof typeof paths;

export function Icon(props: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={paths[props.name]} />
    </svg>
  );
}
