import DefaultTheme from "vitepress/theme";

export default {
  ...DefaultTheme,
  // In browsers alone: while the site is built there is no page for the element to be in.
  enhanceApp: () => import.meta.env.SSR || import("elf-playground/element"),
};
