import { DRAWINGS, Drawing } from "../../../player/ui/Icon";

const PATHS = {
  ...DRAWINGS,
  fork: <path d="M6 19V5M6 13c0-3.4 2.4-4.4 5.6-4.4H18M14.6 5.2 18 8.6l-3.4 3.4" />,
  share: <path d="M12 14.5V4M8.4 7.2 12 3.8l3.6 3.4M6.5 11.5H5v8.7h14v-8.7h-1.5" />,
  embed: <path d="m8.5 7-5 5 5 5M15.5 7l5 5-5 5" />,
  documentation: (
    <path d="M12 6.6C9.8 5 7.2 4.6 4 4.8v13.4c3.2-.2 5.8.2 8 1.8 2.2-1.6 4.8-2 8-1.8V4.8c-3.2-.2-5.8.2-8 1.8Zm0 0V20" />
  ),
  unlock: <path d="M6 11h12v8.5H6zM8.5 11V8a3.5 3.5 0 0 1 6.8-1.2" />,
  dice: (
    <>
      <rect x="4.5" y="4.5" width="15" height="15" rx="3.2" />
      <g fill="currentColor" stroke="none">
        <circle cx="9" cy="9" r="1.35" />
        <circle cx="15" cy="15" r="1.35" />
        <circle cx="15" cy="9" r="1.35" />
        <circle cx="9" cy="15" r="1.35" />
      </g>
    </>
  ),
  find: <path d="M10.8 5a5.8 5.8 0 1 1 0 11.6 5.8 5.8 0 0 1 0-11.6ZM15 15l4.6 4.6" />,
  legend: (
    <>
      <path d="M10.5 7H20M10.5 12H20M10.5 17H20" />
      <g fill="currentColor" stroke="none">
        <circle cx="5.6" cy="7" r="1.7" />
        <circle cx="5.6" cy="12" r="1.7" />
        <circle cx="5.6" cy="17" r="1.7" />
      </g>
    </>
  ),
  system: <path d="M4 5h16v11H4zM9 20h6M12 16v4" />,
  light: (
    <>
      <circle cx="12" cy="12" r="3.8" />
      <path d="M12 3v2.2M12 18.8V21M3 12h2.2M18.8 12H21M5.6 5.6l1.6 1.6M16.8 16.8l1.6 1.6M18.4 5.6l-1.6 1.6M7.2 16.8l-1.6 1.6" />
    </>
  ),
  dark: <path d="M19.5 14.4A8 8 0 0 1 9.6 4.5a8 8 0 1 0 9.9 9.9Z" />,
  close: <path d="m6.5 6.5 11 11M17.5 6.5l-11 11" />,
  compare: <path d="M4 5.5h7v13H4zM13 5.5h7v13h-7z" />,
  tour: <path d="M6 20V4.5h11l-2.2 3.8L17 12H6" />,
  save: <path d="M12 4v10.5M8.4 11.3 12 14.8l3.6-3.5M5 15.5v4h14v-4" />,
  single: <path d="M4.5 5.5h15v13h-15zM8 9.5h8M8 13h8" />,
  experiment: (
    <path d="M9.5 4h5M10.5 4v5.6L5.2 18a1.4 1.4 0 0 0 1.2 2.2h11.2a1.4 1.4 0 0 0 1.2-2.2l-5.3-8.4V4M7.6 14.8h8.8" />
  ),
  remove: <path d="M5 7h14M10 7V4.8h4V7M7 7l.8 12.2h8.4L17 7M10.3 10.5v5.3M13.7 10.5v5.3" />,
  warning: <path d="M12 4.2 21 19.4H3ZM12 10v4.2M12 16.6v.4" />,
} as const;

/** A drawing that goes with words, or stands on a button with a label of its own; never read out. */
export function Icon({ name, size = 18 }: { name: keyof typeof PATHS; size?: number }) {
  return <Drawing size={size}>{PATHS[name]}</Drawing>;
}
