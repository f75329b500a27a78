import classes from "./charts.module.css";

export interface Key {
  name: string;
  /** As it is written now; "–" where it is unknown. */
  value: string;
}

/** How many lines are told apart by colour and dash. */
const STYLES = 6;
const DASHES: number[][] = [[], [7, 4], [2, 3], [9, 3, 2, 3], [4, 2], [1, 2]];

/** The dash of a line, in pixels; empty where it is solid. Colour alone tells nothing apart. */
export const dash = (at: number): number[] => DASHES[at % STYLES] ?? [];
export const colourName = (at: number) => `--line-${at % STYLES}`;

/** The lines' names and values; a press hides a line or shows it again. */
export function Legend(props: {
  label: string;
  keys: Key[];
  hidden: readonly string[];
  onToggle: (name: string) => void;
}) {
  const { label, keys, hidden, onToggle } = props;
  return (
    <ul className={classes.legend} aria-label={label}>
      {keys.map(({ name, value }, at) => (
        <li key={name}>
          <button
            type="button"
            className={classes.key}
            aria-pressed={!hidden.includes(name)}
            onClick={() => onToggle(name)}
          >
            <svg className={classes.swatch} aria-hidden="true" viewBox="0 0 18 4">
              <line
                x1="0"
                y1="2"
                x2="18"
                y2="2"
                stroke={`var(${colourName(at)})`}
                strokeWidth="3"
                strokeDasharray={dash(at).join(" ")}
              />
            </svg>
            <span className={classes.name}>{name}</span>
            <span className={classes.value}>{value}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
