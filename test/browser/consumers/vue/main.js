/** A page by Vue that has the package from npm. */
import "elf-playground/element";
import { createApp } from "vue";
import Page from "./Page.vue";

createApp(Page).mount("#root");
