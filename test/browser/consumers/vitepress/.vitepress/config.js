/** A site by VitePress that has the package from npm. */
export default {
  title: "VitePress",
  outDir: "./built",
  vue: { template: { compilerOptions: { isCustomElement: (name) => name === "elf-playground" } } },
};
