import classes from "./docs.module.css";

/** GET, POST and the like, each in its colour. */
export function Method({ of }: { of: string }) {
  return (
    <span className={classes.method} data-method={of}>
      {of}
    </span>
  );
}
