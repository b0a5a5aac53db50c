import DefaultTheme from "vitepress/theme";
import RecordedFigure from "./RecordedFigure.vue";
import "./colours.css";

export default {
  extends: DefaultTheme,
  enhanceApp({ app }: { app: { component(name: string, component: unknown): void } }) {
    app.component("RecordedFigure", RecordedFigure);
  },
};
