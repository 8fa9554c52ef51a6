// Requests: what a picture is asked for with, the controls' values and the board at the model's size.

/** Makes them of the page as it is at that moment. */
export class Requests {
  constructor({ controls, board, sketcher }) {
    Object.assign(this, { controls, board, sketcher });
  }

  /**
   * For a picture that follows the hand: { params, aspect, image }. `inkVersion` counts the changes of the board;
   * `sentKey` names the sketch that the server has, where it keeps one, and `isPatch` says that it takes changes.
   */
  async live(model, { inkVersion, sentKey, isPatch }) {
    const params = this.controls.params(model);
    const { width, height } = params;
    const { aspect } = this.board.document;
    const key = `${inkVersion} ${width}x${height}`;
    if (isPatch && key === sentKey) return { params, aspect, image: { isNew: false, key } };
    const take = isPatch ? "takePatch" : "take";
    const image = await this.sketcher[take](this.board, width, height);
    return { params, aspect, image: { ...image, key } };
  }

  /** For a model that refines, at its own size: { params, aspect, image }. */
  async refine(model) {
    const { prompt, strength, seed } = this.controls.params(model);
    const { aspect } = this.board.document;
    const [width, height] = this.controls.sizeOf(model, model.default_size_px);
    const image = model.takes_sketch ? await this.sketcher.take(this.board, width, height) : { isEmpty: true };
    return { params: { prompt, strength, seed, width, height }, aspect, image };
  }
}
