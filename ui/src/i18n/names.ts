/** Words for names that the server gives; one that is not known here stays as it is. */

export const en = {
  names: {
    output: {
      value: "values",
      label: "class",
      probabilities: "probabilities",
      logits: "scores before the softmax",
      multilabel: "labels, several of which may hold",
      boxes: "boxes",
      mask: "class of each pixel",
      json: "JSON",
      hidden: "not in plain answers",
    },
    group: {
      "Model catalogue": "Model catalogue",
      "Open Inference Protocol": "Open Inference Protocol",
      "Server health": "Server health",
      "Model repository": "Model repository",
      "Model ownership": "Model ownership",
      "Server figures": "Server figures",
      "Access keys": "Access keys",
      "Web application": "Web application",
      "Signing in": "Signing in",
      "This documentation": "This documentation",
    },
  },
};

export const zh: typeof en = {
  names: {
    output: {
      value: "数值",
      label: "类别",
      probabilities: "各类别的概率",
      logits: "softmax 之前的分数",
      multilabel: "标签（可多个同时成立）",
      boxes: "方框",
      mask: "每个像素的类别",
      json: "JSON",
      hidden: "不在普通结果中显示",
    },
    group: {
      "Model catalogue": "模型目录",
      "Open Inference Protocol": "Open Inference Protocol",
      "Server health": "服务器健康状态",
      "Model repository": "模型仓库",
      "Model ownership": "模型管理",
      "Server figures": "服务器指标",
      "Access keys": "访问密钥",
      "Web application": "网页应用",
      "Signing in": "登录",
      "This documentation": "本文档",
    },
  },
};
