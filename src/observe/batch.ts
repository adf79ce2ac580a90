import {
  connect,
  debounceTime,
  exhaustMap,
  merge,
  type Observable,
  type OperatorFunction,
  of,
  reduce,
  type SchedulerLike,
  takeUntil,
  timer,
} from 'rxjs';

export interface BatchOptions {
  /** Milliseconds of silence that end a batch. */
  readonly quiet: number;
  /** Longest duration of a batch, milliseconds. */
  readonly max: number;
  readonly scheduler?: SchedulerLike;
}

/**
 * Gathers bursts: the first value opens a batch, which ends after `quiet` silence or `max` altogether and is emitted as
 * one set. Nothing is lost, and no timer is left when nothing happens.
 */
export function batch<T>({ quiet, max, scheduler }: BatchOptions): OperatorFunction<T, ReadonlySet<T>> {
  const rest = (first: T, shared$: Observable<T>): Observable<ReadonlySet<T>> => {
    const burst$ = merge(of(first), shared$);
    const end$ = merge(burst$.pipe(debounceTime(quiet, scheduler)), timer(max, scheduler));
    return burst$.pipe(
      takeUntil(end$),
      reduce((set, value) => set.add(value), new Set<T>()),
    );
  };
  return connect((shared$) => shared$.pipe(exhaustMap((first) => rest(first, shared$))));
}
