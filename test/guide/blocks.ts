/**
 * The fenced blocks of the operations guide that are commands, configuration, answers or manifests, to the letter, comments
 * and all; its two diagrams are not here. Each has the SHA-256 of its lines without the white space they begin with (copies
 * of the guide lose that, and YAML needs it), so that whoever has the guide can compare.
 */
export const BLOCKS = {
  async: {
    sha256: 'a4c8b5a4abf045a63487dc5cca69174b2efa4a19f427561caf58ce7aba64f40e',
    text: `# 通过 CLI 标志启用异步加载
npx -y @1mcp/agent --config mcp.json --enable-async-loading
# 或通过环境变量
export ONE_MCP_ENABLE_ASYNC_LOADING=true
npx -y @1mcp/agent --config mcp.json
`,
  },
  security: {
    sha256: 'a8cd0236917376a2cbe27e48ea7898e51110207e2d0082c281b0255d882b3c37',
    text: `# 范围验证事件
INFO: Scope operation: scope_validation_success {
"operation": "scope_validation_success",
"clientId": "app-client",
"requestedScopes": ["tag:filesystem"],
"grantedScopes": ["tag:filesystem", "tag:memory"],
"success": true
}
# 授权事件
INFO: Scope operation: authorization_granted {
"operation": "authorization_granted",
"clientId": "app-client",
"requestedScopes": ["tag:web"],
"success": true
}
`,
  },
  endpoints: {
    sha256: '1de79d3033a68d6711ac9015d004e71dac173a9d9be50478dbb1ccfae491a974',
    text: `# 完整健康状态
GET /health
# 存活探针(Kubernetes 就绪)
GET /health/live
# 就绪探针(配置已加载)
GET /health/ready
`,
  },
  health: {
    sha256: '811958f76368af96bfb5cb826f656b0ee4f907cda8bc5e48c53b395165d1864e',
    text: `{
"status": "healthy",
"timestamp": "2025-01-30T12:00:00.000Z",
"version": "0.15.0",
"system": {
"uptime": 3600,
"memory": {
"used": 50.5,
"total": 100.0,
"percentage": 50.5
}
},
"servers": {
"total": 3,
"healthy": 2,
"unhealthy": 1,
"details": [
{
"name": "filesystem-server",
"status": "connected",
"healthy": true,
"lastConnected": "2025-01-30T11:30:00.000Z",
"tags": ["filesystem"]
},
{
"name": "web-server",
"status": "error",
"healthy": false,
"lastError": "Connection timeout",
"tags": ["network", "web"]
}
]
},
"configuration": {
"loaded": true,
"serverCount": 3,
"enabledCount": 2,
"disabledCount": 1,
"authEnabled": true,
"transport": "http"
}
}
`,
  },
  integration: {
    sha256: 'c3a2736ee6ff1af905d961f73f4e8f01fe4f883d1c8bce3d3f96ce652e8c1762',
    text: `# Kubernetes 部署
livenessProbe:
  httpGet:
    path: /health/live
    port: 3050
  initialDelaySeconds: 30
  periodSeconds: 10
readinessProbe:
  httpGet:
    path: /health/ready
    port: 3050
  initialDelaySeconds: 5
  periodSeconds: 5
# Docker Compose 健康检查
healthcheck:
  test: ['CMD', 'curl', '-f', 'http://localhost:3050/health']
  interval: 30s
  timeout: 10s
  retries: 3
`,
  },
  hierarchy: {
    sha256: '140085fc3cdfa8d5d2a5823c3ac87ecedd4bc1b2c3eac497dc8d2a00f086e1eb',
    text: `1. 环境变量(最高优先级)
2. CLI 参数
3. 配置文件
4. 默认值(最低优先级)
`,
  },
  secrets: {
    sha256: '08453e32aa706e22b9a68942487affeda79a7b9ec0f32e9b944dc4f085640284',
    text: `{
"mcpServers": {
"database": {
"command": ["mcp-postgres"],
"env": {
"DATABASE_URL": "\${DATABASE_URL}", // 来自环境变量
"API_KEY": "\${SECRET:api-key}" // 来自密钥存储
}
}
}
}
`,
  },
} as const;
