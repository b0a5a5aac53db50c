import type { ReactNode } from "react";

export const DRAWINGS = {
  play: <path d="M8 5.6v12.8a.6.6 0 0 0 .92.5l9.9-6.4a.6.6 0 0 0 0-1L8.92 5.1A.6.6 0 0 0 8 5.6Z" fill="currentColor" />,
  pause: <path d="M7 5h3.4v14H7zM13.6 5H17v14h-3.4z" fill="currentColor" />,
  back: <path d="M14.5 6 8.5 12l6 6" />,
  forward: <path d="m9.5 6 6 6-6 6" />,
  lock: <path d="M6 11h12v8.5H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3" />,
} as const;

export function Icon({ name, size = 18 }: { name: keyof typeof DRAWINGS; size?: number }) {
  return <Drawing size={size}>{DRAWINGS[name]}</Drawing>;
}

/** A drawing that goes with words, or stands on a button with a label of its own; never read out. */
export function Drawing({ size, children }: { size: number; children: ReactNode }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.7"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      {children}
    </svg>
  );
}
