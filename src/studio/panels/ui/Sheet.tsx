import { lazy, Suspense, useState } from "react";
import { OnItsWay } from "./OnItsWay";
import type { SheetProps } from "./SheetDialog";

/** Comes when a sheet is first opened. */
const SheetDialog = lazy(async () => ({ default: (await import("./SheetDialog")).SheetDialog }));

/** A sheet over the page, which waits below it. */
export function Sheet(props: SheetProps) {
  const [wasOpened, setWasOpened] = useState(props.open);
  // Once open it stays, closed: the keyboard goes back to where it was.
  if (props.open && !wasOpened) setWasOpened(true);
  return wasOpened ? (
    <Suspense fallback={props.open && <OnItsWay onOpen={props.onOpen} />}>
      <SheetDialog {...props} />
    </Suspense>
  ) : null;
}
