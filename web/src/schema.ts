// Made by `python -m pellucid.schema`; edit src/pellucid/schema.py instead.

export const VERSION = 5;

export interface Sprites {
  sheets: string[];
  tile: number;
  columns: number;
  per_sheet: number;
  count: number;
}

export interface Field {
  size: number[];
  stride: number[];
  offset: number[];
}

export interface ModelCard {
  spec: string;
  name: string;
  channels: number;
  height: number;
  width: number;
  parameters: number;
  fingerprint: string;
}

export interface Skipped {
  name: string;
  reason: string;
}

export interface DatasetCard {
  source: string;
  pictures: number;
  skipped: Skipped[];
  skipped_count: number;
  labelled: boolean;
}

export interface LayerCard {
  id: string;
  name: string;
  kind: string;
  channels: number;
  height: number;
  width: number;
  field: Field | null;
  units: number;
  sprites: Sprites;
  strip: number[];
  icons: number;
}

export interface ClassScore {
  index: number;
  logit: number;
  probability: number;
}

export interface ExplainCard {
  id: string;
  name: string;
  photo: string;
  classes: ClassScore[];
}

export interface Site {
  schema: number;
  made_by: string;
  title: string;
  model: ModelCard;
  dataset: DatasetCard | null;
  classes: string[];
  layers: LayerCard[];
  wall: Sprites | null;
  explained: ExplainCard[];
}

export interface Example {
  image: number;
  name: string;
  label: string | null;
  value: number;
  crop: number;
  whole: number;
  box: number[];
  wall: boolean;
}

export interface Bucket {
  name: string;
  share: number | null;
  examples: Example[];
}

export interface Bars {
  low: number;
  high: number;
  shares: number[];
}

export interface Kin {
  unit: number;
  correlation: number;
}

export interface Favour {
  index: number;
  correlation: number;
}

export interface Score {
  concept: string;
  iou: number;
}

export interface Unit {
  name: string;
  channel: number;
  picture: string;
  negative: string | null;
  score: number;
  silent: boolean;
  history: number[];
  constant: number | null;
  examples: Example[];
  spectrum: Bucket[];
  bars: Bars;
  alike: Kin[];
  opposite: Kin[];
  favours: Favour[];
  concepts: Score[];
  quality: string[];
  settings: string;
}

export interface LevelCard {
  grid: number;
  cells: number;
  icons: Sprites;
}

export interface AtlasCard {
  samples: number;
  method: string;
  trustworthiness: number | null;
  median_cosine: number;
  whitened: boolean;
  patches: Sprites;
  levels: LevelCard[];
}

export interface ConceptCard {
  pictures: number;
  concepts: number;
  limit: number;
}

export interface LayerPage {
  id: string;
  units: Unit[];
  crops: Sprites;
  wholes: Sprites;
  concepts: ConceptCard | null;
  atlas: AtlasCard | null;
}

export interface ClassValue {
  index: number;
  value: number;
}

export interface Patch {
  patch: number;
  name: string;
  label: string | null;
}

export interface Cell {
  row: number;
  col: number;
  count: number;
  cosine: number;
  classes: ClassValue[];
  examples: Patch[];
}

export interface AtlasLevel {
  grid: number;
  cells: Cell[];
}

export interface Picture {
  image: number;
  name: string;
  label: string | null;
  said: number | null;
}

export interface PicturesPage {
  pictures: Picture[];
}

export interface Neighbours {
  near: number[][];
  apart: number[][];
}

export interface Wall {
  side: number;
  tiles: number[];
  neighbours: Neighbours;
}

export interface Packed {
  shape: number[];
  scales: number[];
  bytes: string;
}

export interface Place {
  name: string;
  rows: number;
  cols: number;
  box: number[];
  gives: Packed;
}

export interface WayCard {
  name: string;
  gives: number[][];
  gained: number[];
  error: number[];
}

export interface GroupCard {
  gives: number[];
  shares: number[];
}

export interface ExplainLayer {
  place: number;
  layer: string | null;
  channels: number[];
  linked: boolean[];
  icons: Sprites | null;
  maps: Packed;
  cells: Sprites | null;
  grid: number[];
  sides: Packed;
  words: number[][];
  values: number[][];
  classes: ClassValue[][];
  ways: WayCard[];
  groups: GroupCard[];
  group_maps: Packed;
  rest: number[];
  explained: number;
}

export interface Between {
  source: number;
  target: number;
  values: Packed;
}

export interface GroupFlow {
  given: number[][];
  amounts: number[];
  rest: number[];
  constant: number[];
}

export interface FactorCard {
  classes: ClassValue[];
  maps: Packed[];
}

export interface Trust {
  deletion: number;
  insertion: number;
  halfway: number;
  fails: boolean;
  stability: number;
  completeness: number | null;
}

export interface MethodCard {
  name: string;
  title: string;
  layer: string | null;
  maps: Packed;
  by_class: boolean;
  warning: string | null;
  trust: Trust | null;
}

export interface ExplainPage {
  id: string;
  name: string;
  photo: string;
  width: number;
  height: number;
  classes: ClassScore[];
  places: Place[];
  layers: ExplainLayer[];
  between: Between[];
  flows: GroupFlow[];
  factors: FactorCard[];
  methods: MethodCard[];
  unfit: Skipped[];
  blind: number[] | null;
}

export interface Live {
  limit: number;
  kept: number;
  running: string | null;
  explained: ExplainCard[];
}

export interface LiveState {
  name: string;
  stage: string;
  done: number;
  total: number;
  share: number;
  left: number | null;
  error: string | null;
  card: ExplainCard | null;
}
