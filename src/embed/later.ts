/**
 * What the script can do without until somebody asks: the engine, pictures and lenses. One part and not two: what two of them share
 * with the script, the bundler would take out of it, and every page would have to fetch that beside it.
 */

export { LensView } from "../player/lenses/LensView";
export { broker, recipeOfLink } from "./engine";
export { pictureOf } from "./picture";
