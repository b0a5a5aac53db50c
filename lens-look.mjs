import { chromium } from "playwright-core";
const b = await chromium.launch({ executablePath: "/usr/bin/chromium-headless-shell" });
for (const [name, o] of [["wide",{viewport:{width:1440,height:900}}],["mid",{viewport:{width:1024,height:768}}],["narrow",{viewport:{width:390,height:844}}],["dark",{viewport:{width:1440,height:900},colorScheme:"dark"}]]) {
  const p = await b.newPage(o); p.on("pageerror", e=>console.log("ERR",e.message)); p.on("console", m=>m.type()==="error"&&console.log(m.text()));
  await p.goto("http://localhost:4907/?backend=wasm"); await p.waitForSelector("[data-testid=readout]"); await p.waitForTimeout(1500);
  for (const lens of ["Certainty","Schedule","Numbers"]) {
    await p.getByRole("radio",{name:lens}).click(); await p.waitForSelector(`section[data-lens=${lens.toLowerCase()}] canvas`); await p.waitForTimeout(500);
    await p.locator("section[data-lens]").scrollIntoViewIfNeeded();
    await p.screenshot({path:`/tmp/lens-${name}-${lens}.png`, fullPage: name==="narrow"});
  }
  await p.close();
}
await b.close();
