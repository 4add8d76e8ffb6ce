import 'react';

// the custom properties that are set from code
declare module 'react' {
  interface CSSProperties {
    '--tree'?: string;
    '--hue'?: string;
  }
}
