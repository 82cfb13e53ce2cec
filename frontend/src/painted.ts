/** Calls back once what is in the document now is on the screen: the first frame draws it, the second comes after. */
export function afterPaint(done: () => void): void {
  requestAnimationFrame(() => requestAnimationFrame(done));
}
