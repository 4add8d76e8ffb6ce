/** What the keyboard does in the waterfall: read out when it is reached, and shown below it. */
export function HelpKeys() {
  return (
    <p id="waterfall-keys" className="waterfall-keys muted">
      <kbd>↑</kbd> <kbd>↓</kbd> spans, <kbd>←</kbd> <kbd>→</kbd> close and open, <kbd>−</kbd> <kbd>+</kbd>{' '}
      all, <kbd>e</kbd> next error, <kbd>z</kbd> zoom to the span, <kbd>0</kbd> whole trace, <kbd>Esc</kbd>{' '}
      close the details
    </p>
  );
}
