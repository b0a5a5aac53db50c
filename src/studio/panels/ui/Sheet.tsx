import { lazy, Suspense, useEffect, useState } from "react";
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

/** For the moment in which a sheet is fetched: Escape closes it already. */
function OnItsWay({ onOpen }: Pick<SheetProps, "onOpen">) {
  useEffect(() => {
    const close = ({ key }: KeyboardEvent) => key === "Escape" && onOpen(false);
    addEventListener("keydown", close);
    return () => removeEventListener("keydown", close);
  }, [onOpen]);
  return null;
}
